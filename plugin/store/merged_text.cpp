#include "plugin/store/merged_text.h"

#include <algorithm>
#include <memory>
#include <tuple>

#include "plugin/store/store_format.h"

namespace saetap {
namespace {

constexpr std::size_t kMostInMemory = std::size_t{1} << 20;

Statement prepared_note(Database& merged) {
  merged.execute(
      "PRAGMA temp_store = FILE;"
      "CREATE TEMP TABLE needed(id INTEGER NOT NULL, segment INTEGER NOT NULL, kept INTEGER NOT NULL)");
  return merged.prepare("INSERT INTO needed VALUES(?, ?, ?)");
}

// The segments of one input, in the order of the table.
class Segments {
 public:
  explicit Segments(const Database& database)
      : select_(database.prepare("SELECT id, segment, length, tokens FROM sequence ORDER BY id, segment")) {
    next();
  }
  // Moves on to the key or past it. True if it is there.
  bool find(std::int64_t id, std::int64_t segment) {
    while (there_ && std::tie(id_, segment_) < std::tie(id, segment)) next();
    return there_ && id_ == id && segment_ == segment;
  }
  [[nodiscard]] const Statement& row() const { return select_; }

 private:
  void next() {
    there_ = select_.step();
    if (!there_) return;
    id_ = select_.integer(0);
    segment_ = select_.integer(1);
  }

  Statement select_;
  bool there_ = false;
  std::int64_t id_ = 0;
  std::int64_t segment_ = 0;
};

}  // namespace

MergedText::MergedText(Database& merged, std::uint32_t context)
    : merged_(merged), context_(context), note_(prepared_note(merged)) {}

void MergedText::need(std::span<const Sample> samples, std::int64_t kept) {
  if (kept != kept_) note_down();
  kept_ = kept;
  for (const Sample& sample : samples) {
    if (!has_tokens(sample.sequence)) continue;
    const SegmentRange range = context_segments(sample.position, context_, context_);
    for (std::uint32_t segment = range.first; segment <= range.last; ++segment) {
      needed_.push_back({sample.sequence, segment});
    }
  }
  if (needed_.size() >= kMostInMemory) note_down();
}

// Most are there many times over: samples of many features are of the same text.
void MergedText::note_down() {
  const auto key = [](const SegmentKey& one) { return std::pair(one.sequence, one.segment); };
  std::sort(needed_.begin(), needed_.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  needed_.erase(std::unique(needed_.begin(), needed_.end()), needed_.end());
  for (const SegmentKey& one : needed_) {
    note_.bind(0, stored(one.sequence)).bind(1, std::int64_t{one.segment}).bind(2, kept_).run();
  }
  needed_.clear();
}

void MergedText::write(const MergeInputs& inputs, const std::function<void()>& tick) {
  note_down();
  std::vector<std::unique_ptr<Segments>> texts;
  for (const auto& input : inputs) texts.push_back(std::make_unique<Segments>(input->database));
  Statement insert = merged_.prepare("INSERT INTO sequence VALUES(?, ?, ?, ?, ?)");
  Statement needed = merged_.prepare(
      "SELECT id, segment, max(kept & 1) | max(kept & 2) FROM needed GROUP BY id, segment ORDER BY id, segment");
  while (needed.step()) {
    tick();
    const std::int64_t id = needed.integer(0), segment = needed.integer(1);
    const auto found =
        std::find_if(texts.begin(), texts.end(), [&](const auto& text) { return text->find(id, segment); });
    if (found == texts.end()) continue;  // the end of a sequence, or no longer known when it was collected
    const Statement& row = (*found)->row();
    insert.bind(0, id).bind(1, segment).bind(2, row.integer(2)).bind_blob(3, row.blob(3));
    insert.bind(4, needed.integer(2)).run();
  }
  merged_.execute("DROP TABLE needed");
}

}  // namespace saetap

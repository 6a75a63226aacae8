#include "plugin/store/stored_sequences.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "plugin/store/store_format.h"

namespace saetap {
namespace {

// The order in which SQLite keeps them: sequence ids are signed there.
bool before(const SegmentKey& a, const SegmentKey& b) {
  return std::tuple(stored(a.sequence), a.segment) < std::tuple(stored(b.sequence), b.segment);
}

// Each key once, in that order. Sorted now and then, so that it never holds much more than there are.
class KeySet {
 public:
  explicit KeySet(std::uint32_t context) : context_(context) {}

  void add_around(SequenceId sequence, std::uint32_t position) {
    if (!has_tokens(sequence)) return;
    const SegmentRange range = context_segments(position, context_, context_);
    for (std::uint32_t segment = range.first; segment <= range.last; ++segment) keys_.push_back({sequence, segment});
    if (keys_.size() > kSlack + 2 * unique_) (void)tidy();
  }
  [[nodiscard]] const std::vector<SegmentKey>& tidy() {
    std::sort(keys_.begin(), keys_.end(), before);
    keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
    unique_ = keys_.size();
    return keys_;
  }

 private:
  static constexpr std::size_t kSlack = std::size_t{1} << 20;
  std::uint32_t context_;
  std::vector<SegmentKey> keys_;
  std::size_t unique_ = 0;
};

void add_stored(KeySet& keys, Statement& select) {
  while (select.step()) {
    const auto sequences = select.blob(0);
    const auto positions = select.blob(1);
    const auto count = std::min(sequences.size() / sizeof(std::int64_t), positions.size() / sizeof(std::uint32_t));
    for (std::size_t i = 0; i < count; ++i) {
      std::int64_t sequence = 0;
      std::uint32_t position = 0;
      std::memcpy(&sequence, sequences.data() + i * sizeof sequence, sizeof sequence);
      std::memcpy(&position, positions.data() + i * sizeof position, sizeof position);
      keys.add_around(unstored(sequence), position);
    }
  }
}

}  // namespace

void StoredSequences::add_new(const SequencePool& pool, bool all) {
  std::vector<const SequencePool::Segments::value_type*> added;
  for (const auto& entry : pool.segments()) {
    if (entry.second.count != 0 && (all || !entry.second.saved)) added.push_back(&entry);
  }
  std::sort(added.begin(), added.end(), [](const auto* a, const auto* b) { return before(a->first, b->first); });
  // One may be there already: dropped, and met again before that was written.
  Statement insert = database_.prepare("INSERT OR IGNORE INTO sequence VALUES(?, ?, ?, ?, 0)");
  SequencePool::Room room;
  for (const auto* entry : added) {
    const auto& [key, segment] = *entry;
    insert.bind(0, stored(key.sequence)).bind(1, std::int64_t{key.segment}).bind(2, std::int64_t{segment.length});
    insert.bind_blob(3, std::as_bytes(pool.tokens(segment, room))).run();
  }
}

void StoredSequences::keep_for_history(std::span<const Sample> samples) {
  KeySet keys(context_);
  for (const Sample& sample : samples) keys.add_around(sample.sequence, sample.position);
  Statement keep =
      database_.prepare("UPDATE sequence SET kept = kept | ? WHERE id = ? AND segment = ? AND kept & ? = 0");
  for (const SegmentKey& key : keys.tidy()) {
    keep.bind(0, kKeptForHistory).bind(1, stored(key.sequence)).bind(2, std::int64_t{key.segment});
    keep.bind(3, kKeptForHistory).run();
  }
}

// The keys and the table are walked side by side in the same order.
void StoredSequences::count_parts(const SequencePool& pool, std::span<const int> in_memory,
                                  const SequencePool::PinCounts& leaving) {
  std::string sites;
  for (const int site : in_memory) sites += (sites.empty() ? "" : ", ") + std::to_string(site);
  KeySet keys(context_);
  for (const char* table : {"sample", "random_sample"}) {
    const std::string sql = std::string("SELECT sequence, position FROM ") + table +
                            " WHERE part IN ('past', 'closed') OR site NOT IN (" + sites + ")";
    Statement select = database_.prepare(sql.c_str());
    add_stored(keys, select);
  }
  const std::vector<SegmentKey>& needed = keys.tidy();
  std::vector<std::pair<SegmentKey, std::int64_t>> changed;
  std::vector<SegmentKey> unneeded;
  auto next = needed.begin();
  Statement select = database_.prepare("SELECT id, segment, kept FROM sequence ORDER BY id, segment");
  while (select.step()) {
    const SegmentKey key{unstored(select.integer(0)), static_cast<std::uint32_t>(select.integer(1))};
    while (next != needed.end() && before(*next, key)) ++next;
    const bool is_needed = next != needed.end() && *next == key;
    const std::int64_t was = select.integer(2);
    const std::int64_t kept = (was & ~kKeptForParts) | (is_needed ? kKeptForParts : 0);
    if (kept == 0 && !pool.pinned_beside(leaving, key)) {
      unneeded.push_back(key);
    } else if (kept != was) {
      changed.emplace_back(key, kept);
    }
  }
  Statement update = database_.prepare("UPDATE sequence SET kept = ? WHERE id = ? AND segment = ?");
  for (const auto& [key, kept] : changed) {
    update.bind(0, kept).bind(1, stored(key.sequence)).bind(2, std::int64_t{key.segment}).run();
  }
  Statement remove = database_.prepare("DELETE FROM sequence WHERE id = ? AND segment = ?");
  for (const SegmentKey& key : unneeded) remove.bind(0, stored(key.sequence)).bind(1, std::int64_t{key.segment}).run();
}

void StoredSequences::remove_dropped(const SequencePool& pool) {
  std::vector<SegmentKey> dropped = pool.dropped();
  std::sort(dropped.begin(), dropped.end(), before);
  Statement remove = database_.prepare("DELETE FROM sequence WHERE id = ? AND segment = ? AND kept = 0");
  for (const SegmentKey& key : dropped) {
    if (pool.segments().contains(key)) continue;  // pinned again
    remove.bind(0, stored(key.sequence)).bind(1, std::int64_t{key.segment}).run();
  }
}

}  // namespace saetap

#include "plugin/store/checkpoint_transaction.h"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "plugin/store/part_rows.h"
#include "plugin/store/store_format.h"
#include "plugin/store/store_tables.h"
#include "plugin/store/token_rows.h"
#include "plugin/store/window_shift.h"

namespace saetap {
namespace {

// Token ids met before. Asked for every token of the pool: vocabularies are a few hundred thousand ids, one bit each.
class MetTokens {
 public:
  // Whether it was met before; from now on it was.
  bool meet(std::int32_t id) {
    if (id < 0 || id >= kMostListed) return !others_.insert(id).second;
    const auto place = static_cast<std::size_t>(id);
    if (place >= listed_.size()) listed_.resize(place + 1);
    const bool met = listed_[place];
    listed_[place] = true;
    return met;
  }

 private:
  static constexpr std::int32_t kMostListed = 1 << 24;
  std::vector<bool> listed_;
  std::unordered_set<std::int32_t> others_;
};

}  // namespace

void CheckpointTransaction::write(const CheckpointEvent& event) {
  if (redact_ != Redact::tokens) sequences_.add_new(collector_.sequences(), all_);
  bool shifted = false;
  std::vector<int> sites;
  for (const auto& [id, collection] : collector_.sites()) {
    sites.push_back(id);
    const Site& site = *collection.site;
    const SiteCounts counts = event.counts ? event.counts(site) : SiteCounts{};
    const TraceReport traced = event.tracing ? event.tracing(site) : TraceReport{};
    write_site(database_, site, counts, {std::string(name_of(traced.source)), traced.stream});
    if (event.decoder_directions) write_decoder(site, event.decoder_directions(site));
    write_history(collection);
    const Part* closed = collection.part(PartKind::closed);
    if (closed != nullptr) {
      shift_windows(database_, sequences_, collector_, collection, redact_);
      write_part(site, PartKind::closed, *closed);
      shifted = true;
    }
    write_part(site, PartKind::open, *collection.part(PartKind::open));
  }
  if (shifted || recount_) sequences_.count_parts(collector_.sequences(), sites, pins_that_leave());
  sequences_.remove_dropped(collector_.sequences());
  if (event.token_text && redact_ == Redact::nothing) write_token_texts(event.token_text);
}

// Of windows that are over: the store may keep fewer of their samples than memory did, where several are made one.
SequencePool::PinCounts CheckpointTransaction::pins_that_leave() const {
  SequencePool::PinCounts counts;
  for (const auto& [id, collection] : collector_.sites()) {
    collection.each_leaving_sample([&](const Sample& sample) {
      if (has_tokens(sample.sequence)) collector_.sequences().add_pins({sample.sequence, sample.position}, counts);
    });
  }
  return counts;
}

// In blocks, because one BLOB ends at a gigabyte and the decoder of a wide SAE does not. Unknown now (empty) leaves
// what an earlier checkpoint knew.
void CheckpointTransaction::write_decoder(const Site& site, const HalfMatrix& directions) {
  if (directions.empty()) return;
  Statement insert = database_.prepare("INSERT OR REPLACE INTO decoder VALUES(?, ?, ?)");
  const auto bytes = std::as_bytes(std::span(directions));
  const auto block_bytes = static_cast<std::size_t>(kDecoderBlockFeatures * site.d_out) * sizeof(directions[0]);
  std::int64_t block = 0;
  for (std::size_t begin = 0; begin < bytes.size(); begin += block_bytes) {
    const auto piece = bytes.subspan(begin, std::min(block_bytes, bytes.size() - begin));
    insert.bind(0, std::int64_t{site.id}).bind(1, block++).bind_blob(2, piece).run();
  }
}

void CheckpointTransaction::write_part(const Site& site, PartKind kind, const Part& part) {
  // A closed part may have been saved as the open one.
  const bool whole = all_ || kind != PartKind::open || !part.saved;
  if (whole) remove_part(database_, site.id, kind);
  write_part_row(database_, site.id, kind, row_of(part));
  if (redact_ != Redact::tokens) write_token_counts(database_, site.id, kind, part.tokens, whole);
  FeatureWriter writer(database_, site.id, kind, collector_.contexts());
  for (std::uint32_t feature = 0; feature < part.statistics.size(); ++feature) {
    const FeatureStatistics& statistics = part.statistics[feature];
    if (statistics == FeatureStatistics{}) continue;
    if (whole || part.counted[feature] != 0) writer.write_statistics(feature, statistics, part.histograms[feature]);
    if (part.samples.size(feature) != 0 && (whole || part.samples.changed(feature))) {
      const std::vector<Sample> samples = part.samples.strongest(feature);
      writer.write_samples(feature, samples, part.samples.groups(feature, samples));
    }
    if (whole || part.random_samples.changed(feature)) {
      const std::vector<Sample> samples = part.random_samples.samples(feature);
      if (!samples.empty()) writer.write_random_samples(feature, samples);
    }
  }
}

void CheckpointTransaction::write_history(const SiteCollection& collection) {
  std::vector<Sample> kept;
  for (const HistoryEntry& entry : collection.unsaved_history) {
    HistoryWriter writer(database_, collection.site->id, entry.window, entry.eligible, collector_.contexts());
    for (const HistoryEntry::Feature& feature : entry.features) {
      writer.write(feature.feature, feature.statistics, feature.top, feature.groups);
      kept.insert(kept.end(), feature.top.begin(), feature.top.end());
    }
  }
  sequences_.keep_for_history(kept);
}

// Of all tokens in the pool of which the table has no text.
void CheckpointTransaction::write_token_texts(const TokenText& text_of) {
  MetTokens met;
  Statement select = database_.prepare("SELECT id FROM token");
  while (select.step()) (void)met.meet(static_cast<std::int32_t>(select.integer(0)));
  Statement insert = database_.prepare("INSERT INTO token VALUES(?, ?)");
  SequencePool::Room room;
  for (const auto& [key, segment] : collector_.sequences().segments()) {
    for (const std::int32_t id : collector_.sequences().tokens(segment, room)) {
      if (met.meet(id)) continue;
      const std::optional<std::string> text = text_of(id);
      if (text) insert.bind(0, std::int64_t{id}).bind_blob(1, std::as_bytes(std::span(*text))).run();
    }
  }
}

}  // namespace saetap

#include "plugin/store/checkpoint_transaction.h"

#include <algorithm>
#include <tuple>
#include <unordered_set>

#include "plugin/store/store_format.h"

namespace saetap {
namespace {

// The order in which SQLite keeps them: sequence ids are signed there.
bool before(const SegmentKey& a, const SegmentKey& b) {
  return std::tuple(stored(a.sequence), a.segment) < std::tuple(stored(b.sequence), b.segment);
}

using PooledSegment = SequencePool::Segments::value_type;

std::vector<const PooledSegment*> known_segments(const SequencePool& pool) {
  std::vector<const PooledSegment*> known;
  known.reserve(pool.segments().size());
  for (const PooledSegment& entry : pool.segments()) {
    if (!entry.second.tokens.empty()) known.push_back(&entry);
  }
  std::sort(known.begin(), known.end(), [](const auto* a, const auto* b) { return before(a->first, b->first); });
  return known;
}

}  // namespace

void CheckpointTransaction::write(const CheckpointEvent& event) {
  for (const auto& [id, collection] : collector_.sites()) {
    write_site(*collection.site, event);
    if (event.decoder_directions) write_decoder(*collection.site, event.decoder_directions(*collection.site));
    write_parts(collection);
    write_history(collection);
  }
  write_sequences();
  if (event.token_text) write_token_texts(event.token_text);
}

void CheckpointTransaction::write_site(const Site& site, const CheckpointEvent& event) {
  const SiteCounts counts = event.counts ? event.counts(site) : SiteCounts{};
  Statement insert =
      database_.prepare("INSERT OR REPLACE INTO site VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  insert.bind(0, std::int64_t{site.id}).bind(1, site.name).bind(2, site.module_type).bind(3, site.method);
  insert.bind(4, site.description).bind(5, site.features).bind(6, site.d_in).bind(7, site.d_out);
  insert.bind(8, stored(counts.steps)).bind(9, stored(counts.steps_collected)).bind(10, stored(counts.rows_seen));
  insert.bind(11, stored(counts.rows_collected)).bind(12, stored(counts.rows_excluded));
  insert.bind(13, stored(counts.rows_resolved)).bind(14, stored(counts.calls));
  const TraceReport traced = event.tracing ? event.tracing(site) : TraceReport{};
  insert.bind(15, stored(counts.rows_ambiguous)).bind(16, name_of(traced.source)).bind(17, traced.stream).run();
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

void CheckpointTransaction::write_parts(const SiteCollection& collection) {
  Statement removals[]{database_.prepare("DELETE FROM feature WHERE site = ? AND part = ?"),
                       database_.prepare("DELETE FROM histogram WHERE site = ? AND part = ?"),
                       database_.prepare("DELETE FROM random_sample WHERE site = ? AND part = ?")};
  Statement remove_part = database_.prepare("DELETE FROM part WHERE site = ? AND part = ?");
  Statement insert = database_.prepare("INSERT INTO part VALUES(?, ?, ?, ?, ?)");
  const Site& site = *collection.site;
  for (const PartKind kind : {PartKind::past, PartKind::closed, PartKind::open}) {
    const Part* part = collection.part(kind);
    if (part != nullptr && kind != PartKind::open && is_stored(site, kind, *part)) continue;
    const std::string_view name = part_name(kind);
    for (Statement& remove : removals) remove.bind(0, std::int64_t{site.id}).bind(1, name).run();
    remove_part.bind(0, std::int64_t{site.id}).bind(1, name).run();
    if (part == nullptr) continue;
    insert.bind(0, std::int64_t{site.id}).bind(1, name).bind(2, stored(part->first_step));
    insert.bind(3, stored(part->last_step)).bind(4, stored(part->eligible)).run();
    write_features(site, kind, *part);
  }
}

// Past and closed change only when a window closes, and then their last step does.
bool CheckpointTransaction::is_stored(const Site& site, PartKind kind, const Part& part) {
  Statement select = database_.prepare(
      "SELECT 1 FROM part WHERE site = ? AND part = ? AND first_step = ? AND last_step = ? AND eligible = ?");
  select.bind(0, std::int64_t{site.id}).bind(1, std::string_view(part_name(kind))).bind(2, stored(part.first_step));
  select.bind(3, stored(part.last_step)).bind(4, stored(part.eligible));
  return select.step();
}

void CheckpointTransaction::write_features(const Site& site, PartKind kind, const Part& part) {
  Statement insert = database_.prepare("INSERT INTO feature VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  Statement insert_histogram = database_.prepare("INSERT INTO histogram VALUES(?, ?, ?, ?, ?)");
  Statement insert_random = database_.prepare("INSERT INTO random_sample VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  SampleColumns columns(collector_.contexts());
  for (std::uint32_t feature = 0; feature < part.statistics.size(); ++feature) {
    const FeatureStatistics& statistics = part.statistics[feature];
    if (statistics == FeatureStatistics{}) continue;
    for (Statement* row : {&insert, &insert_histogram, &insert_random}) {
      row->bind(0, std::int64_t{site.id}).bind(1, std::string_view(part_name(kind))).bind(2, std::int64_t{feature});
    }
    const std::vector<Sample> samples = part.samples.strongest(feature);
    bind_statistics(insert, 3, statistics);
    columns.bind(insert, 3 + kStatisticsColumns, samples);
    insert.run();
    bind_histogram(insert_histogram, 3, part.histograms[feature]);
    insert_histogram.run();
    const std::vector<Sample> random = part.random_samples.samples(feature);
    if (random.empty()) continue;
    columns.bind(insert_random, 3, random);
    insert_random.run();
  }
}

void CheckpointTransaction::write_history(const SiteCollection& collection) {
  Statement insert = database_.prepare(
      "INSERT OR REPLACE INTO history VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  SampleColumns columns(collector_.contexts());
  for (const HistoryEntry& entry : collection.unsaved_history) {
    insert.bind(0, std::int64_t{collection.site->id}).bind(1, stored(entry.window.number));
    insert.bind(2, stored(entry.window.first_step)).bind(3, stored(entry.window.end_step));
    insert.bind(4, stored(entry.eligible));
    for (const HistoryEntry::Feature& feature : entry.features) {
      insert.bind(5, std::int64_t{feature.feature});
      bind_statistics(insert, 6, feature.statistics);
      columns.bind(insert, 6 + kStatisticsColumns, feature.top);
      insert.run();
    }
  }
}

// Of all tokens in the pool of which the table has no text.
void CheckpointTransaction::write_token_texts(const TokenText& text_of) {
  std::unordered_set<std::int32_t> met;
  Statement select = database_.prepare("SELECT id FROM token");
  while (select.step()) met.insert(static_cast<std::int32_t>(select.integer(0)));
  Statement insert = database_.prepare("INSERT INTO token VALUES(?, ?)");
  for (const auto& [key, segment] : collector_.sequences().segments()) {
    for (const std::int32_t id : segment.tokens) {
      if (!met.insert(id).second) continue;
      const std::optional<std::string> text = text_of(id);
      if (text) insert.bind(0, std::int64_t{id}).bind_blob(1, std::as_bytes(std::span(*text))).run();
    }
  }
}

std::vector<SegmentKey> CheckpointTransaction::history_segments() const {
  const std::uint32_t context = collector_.options().sample_context_size;
  std::vector<SegmentKey> keys;
  for (const auto& [id, collection] : collector_.sites()) {
    for (const HistoryEntry& entry : collection.unsaved_history) {
      for (const HistoryEntry::Feature& feature : entry.features) {
        for (const Sample& sample : feature.top) {
          const SegmentRange range = context_segments(sample.position, context, context);
          for (std::uint32_t segment = range.first; segment <= range.last; ++segment) {
            keys.push_back({sample.sequence, segment});
          }
        }
      }
    }
  }
  std::sort(keys.begin(), keys.end(), before);
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

// The pool's segments and the table's are walked side by side in the same order: what only the pool has is inserted,
// what only the table has is deleted, unless rows of `history` need it.
void CheckpointTransaction::write_sequences() {
  const std::vector<const PooledSegment*> known = known_segments(collector_.sequences());
  const std::vector<SegmentKey> history = history_segments();
  std::vector<const PooledSegment*> missing;
  std::vector<SegmentKey> dropped;
  auto next = known.begin();
  Statement select = database_.prepare("SELECT id, segment, history FROM sequence ORDER BY id, segment");
  while (select.step()) {
    const SegmentKey key{unstored(select.integer(0)), static_cast<std::uint32_t>(select.integer(1))};
    while (next != known.end() && before((*next)->first, key)) missing.push_back(*next++);
    if (next != known.end() && (*next)->first == key) {
      ++next;
    } else if (select.integer(2) == 0) {
      dropped.push_back(key);
    }
  }
  missing.insert(missing.end(), next, known.end());

  Statement remove = database_.prepare("DELETE FROM sequence WHERE id = ? AND segment = ?");
  for (const SegmentKey& key : dropped) remove.bind(0, stored(key.sequence)).bind(1, std::int64_t{key.segment}).run();
  Statement insert = database_.prepare("INSERT INTO sequence VALUES(?, ?, ?, ?, 0)");
  for (const PooledSegment* entry : missing) {
    const auto& [key, segment] = *entry;
    insert.bind(0, stored(key.sequence)).bind(1, std::int64_t{key.segment}).bind(2, std::int64_t{segment.length});
    insert.bind_blob(3, std::as_bytes(std::span(segment.tokens))).run();
  }
  Statement keep = database_.prepare("UPDATE sequence SET history = 1 WHERE id = ? AND segment = ? AND history = 0");
  for (const SegmentKey& key : history) keep.bind(0, stored(key.sequence)).bind(1, std::int64_t{key.segment}).run();
}

}  // namespace saetap

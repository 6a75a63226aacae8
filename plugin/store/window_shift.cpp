#include "plugin/store/window_shift.h"

#include <algorithm>

#include "plugin/store/merged_rows.h"
#include "plugin/store/part_rows.h"
#include "plugin/store/token_rows.h"

namespace saetap {
namespace {

// A part of a site as a source of rows: in memory, or in the store.
class Source {
 public:
  Source(const Database& database, int site, PartKind kind)
      : database_(&database), site_(site), kind_(kind), stored_(FeatureReader(database, site, kind)) {}
  Source(const Part& part, const ContextPool& contexts) : part_(&part), contexts_(&contexts) {}

  void add_tokens(TokenCounts& counts) const {
    if (stored_) {
      add_token_counts(*database_, site_, kind_, counts);
    } else {
      counts.add(part_->tokens);
    }
  }

  FeatureRows read(std::uint32_t feature, bool with_groups, ContextPool& pool) {
    if (stored_) return stored_->read(feature, with_groups, pool);
    FeatureRows rows{part_->statistics[feature],
                     part_->histograms[feature],
                     part_->samples.strongest(feature),
                     {},
                     part_->random_samples.samples(feature)};
    rows.groups = part_->samples.groups(feature, rows.samples);
    for (auto* samples : {&rows.samples, &rows.random_samples}) {
      for (Sample& sample : *samples) {
        if (ContextPool::known(sample.context)) sample.context = pool.add(contexts_->at(sample.context));
      }
    }
    return rows;
  }

 private:
  const Database* database_ = nullptr;
  int site_ = 0;
  PartKind kind_ = PartKind::past;
  std::optional<FeatureReader> stored_;
  const Part* part_ = nullptr;
  const ContextPool* contexts_ = nullptr;
};

void write_past_tokens(Database& database, int site, std::span<const Source> sources) {
  TokenCounts counts;
  for (const Source& source : sources) source.add_tokens(counts);
  write_token_counts(database, site, PartKind::past, counts, true);
}

void closed_to_history(Database& database, StoredSequences& sequences, const Site& site, const PartRow& closed,
                       bool with_groups) {
  ContextPool contexts;
  FeatureReader reader(database, site.id, PartKind::closed);
  HistoryWriter writer(database, site.id, closed.window, closed.eligible, contexts);
  std::vector<Sample> kept;
  for (std::uint32_t feature = 0; feature < site.features; ++feature) {
    const FeatureRows rows = reader.read(feature, with_groups, contexts);
    if (rows.statistics == FeatureStatistics{}) continue;
    const auto count = std::min(rows.samples.size(), kHistorySamples);
    const auto top = std::span(rows.samples).first(count);
    writer.write(feature, rows.statistics, top, std::span(rows.groups).first(std::min(rows.groups.size(), count)));
    kept.insert(kept.end(), top.begin(), top.end());
    release_contexts(rows, contexts);
  }
  sequences.keep_for_history(kept);
}

// Windows close one after the other: the store has this part if it has its newest window as a closed one.
bool has_stored(const std::optional<PartRow>& closed, const Part& part) {
  return closed && part.window.number <= closed->window.number;
}

}  // namespace

bool can_be_shifted(const Database& database, const SiteCollection& collection) {
  const Part* past = collection.part(PartKind::past);
  const std::optional<PartRow> closed = read_part_row(database, collection.site->id, PartKind::closed);
  return past == nullptr || !closed || has_stored(closed, *past) || past->first_step > closed->last_step;
}

void shift_windows(Database& database, StoredSequences& sequences, const SampleCollector& collector,
                   const SiteCollection& collection, Redact redact) {
  const int site = collection.site->id;
  const std::optional<PartRow> closed = read_part_row(database, site, PartKind::closed);
  const std::optional<PartRow> past = read_part_row(database, site, PartKind::past);
  if (has_stored(closed, *collection.part(PartKind::closed))) return;
  const Part* unsaved = collection.part(PartKind::past);
  if (unsaved != nullptr && has_stored(closed, *unsaved)) unsaved = nullptr;
  const CollectorOptions& options = collector.options();
  const bool limited = options.limit.alike != SampleLimit::Alike::no;
  if (closed) closed_to_history(database, sequences, *collection.site, *closed, limited);

  std::vector<PartRow> rows;
  std::vector<Source> sources;
  if (past) {
    rows.push_back(*past);
    sources.emplace_back(database, site, PartKind::past);
  }
  if (closed) {
    rows.push_back(*closed);
    sources.emplace_back(database, site, PartKind::closed);
  }
  if (unsaved != nullptr) {
    rows.push_back(row_of(*unsaved));
    sources.emplace_back(*unsaved, collector.contexts());
  }
  if (rows.empty()) return;
  const KeptLimits limits{options.max_samples_per_feature, options.random_samples_per_feature,
                          limited ? options.limit.most : 0};
  ContextPool contexts;
  {
    FeatureWriter writer(database, site, PartKind::past, contexts);
    std::vector<FeatureRows> parts;
    for (std::uint32_t feature = 0; feature < collection.site->features; ++feature) {
      parts.clear();
      for (Source& source : sources) parts.push_back(source.read(feature, limited, contexts));
      const FeatureRows all = merge_rows(parts, limits, contexts);
      writer.write(feature, all);
      for (const FeatureRows& rows_of_part : parts) release_contexts(rows_of_part, contexts);
    }
  }
  if (redact != Redact::tokens) write_past_tokens(database, site, sources);
  write_part_row(database, site, PartKind::past, join_parts(rows));
  remove_part(database, site, PartKind::closed);
}

}  // namespace saetap

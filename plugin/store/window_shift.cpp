#include "plugin/store/window_shift.h"

#include <algorithm>

#include "plugin/collect/random_table.h"
#include "plugin/store/part_rows.h"

namespace saetap {
namespace {

// A part of a site as a source of rows: in memory, or in the store.
class Source {
 public:
  Source(const Database& database, int site, PartKind kind) : stored_(FeatureReader(database, site, kind)) {}
  Source(const Part& part, const ContextPool& contexts) : part_(&part), contexts_(&contexts) {}

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
  std::optional<FeatureReader> stored_;
  const Part* part_ = nullptr;
  const ContextPool* contexts_ = nullptr;
};

void release(const FeatureRows& rows, ContextPool& pool) {
  for (const auto* samples : {&rows.samples, &rows.random_samples}) {
    for (const Sample& sample : *samples) pool.release(sample.context);
  }
}

FeatureRows merged(const std::vector<FeatureRows>& parts, const CollectorOptions& options) {
  FeatureRows all;
  std::vector<std::vector<Sample>> samples, random_samples;
  std::vector<std::vector<std::uint64_t>> groups;
  for (const FeatureRows& rows : parts) {
    all.statistics.add(rows.statistics);
    all.histogram.add(rows.histogram);
    samples.push_back(rows.samples);
    groups.push_back(rows.groups);
    random_samples.push_back(rows.random_samples);
  }
  const bool limited = options.limit.alike != SampleLimit::Alike::no;
  all.samples = merge_strongest(samples, options.max_samples_per_feature, limited ? options.limit.most : 0, groups);
  all.random_samples = merge_random(random_samples, options.random_samples_per_feature);
  if (!limited) return all;
  for (const Sample& sample : all.samples) {
    for (std::size_t part = 0; part < samples.size(); ++part) {
      const auto found = std::find(samples[part].begin(), samples[part].end(), sample);
      if (found == samples[part].end()) continue;
      all.groups.push_back(groups[part][static_cast<std::size_t>(found - samples[part].begin())]);
      break;
    }
  }
  return all;
}

PartRow joined(const std::vector<PartRow>& rows) {
  PartRow all = rows.front();
  for (const PartRow& row : rows) {
    all.window = std::max(all.window, row.window, [](const Window& a, const Window& b) { return a.number < b.number; });
    all.first_step = std::min(all.first_step, row.first_step);
    all.last_step = std::max(all.last_step, row.last_step);
  }
  all.eligible = 0;
  for (const PartRow& row : rows) all.eligible += row.eligible;
  return all;
}

void closed_to_history(Database& database, StoredSequences& sequences, const Site& site, const PartRow& closed) {
  ContextPool contexts;
  FeatureReader reader(database, site.id, PartKind::closed);
  HistoryWriter writer(database, site.id, contexts);
  std::vector<Sample> kept;
  for (std::uint32_t feature = 0; feature < site.features; ++feature) {
    const FeatureRows rows = reader.read(feature, false, contexts);
    if (rows.statistics == FeatureStatistics{}) continue;
    const auto top = std::span(rows.samples).first(std::min(rows.samples.size(), kHistorySamples));
    writer.write(closed.window, closed.eligible, feature, rows.statistics, top);
    kept.insert(kept.end(), top.begin(), top.end());
    release(rows, contexts);
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
                   const SiteCollection& collection) {
  const int site = collection.site->id;
  const std::optional<PartRow> closed = read_part_row(database, site, PartKind::closed);
  const std::optional<PartRow> past = read_part_row(database, site, PartKind::past);
  if (has_stored(closed, *collection.part(PartKind::closed))) return;
  const Part* unsaved = collection.part(PartKind::past);
  if (unsaved != nullptr && has_stored(closed, *unsaved)) unsaved = nullptr;
  if (closed) closed_to_history(database, sequences, *collection.site, *closed);

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
  const CollectorOptions& options = collector.options();
  const bool limited = options.limit.alike != SampleLimit::Alike::no;
  ContextPool contexts;
  {
    FeatureWriter writer(database, site, PartKind::past, contexts);
    std::vector<FeatureRows> parts;
    for (std::uint32_t feature = 0; feature < collection.site->features; ++feature) {
      parts.clear();
      for (Source& source : sources) parts.push_back(source.read(feature, limited, contexts));
      const FeatureRows all = merged(parts, options);
      if (all.statistics != FeatureStatistics{}) writer.write_statistics(feature, all.statistics, all.histogram);
      if (!all.samples.empty()) writer.write_samples(feature, all.samples, all.groups);
      if (!all.random_samples.empty()) writer.write_random_samples(feature, all.random_samples);
      for (const FeatureRows& rows_of_part : parts) release(rows_of_part, contexts);
    }
  }
  write_part_row(database, site, PartKind::past, joined(rows));
  remove_part(database, site, PartKind::closed);
}

}  // namespace saetap

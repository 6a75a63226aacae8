#include "plugin/store/merged_rows.h"

#include <algorithm>

#include "plugin/collect/random_table.h"

namespace saetap {
namespace {

// A place has one group wherever it was kept.
std::uint64_t group_of(const Sample& sample, std::span<const FeatureRows> all) {
  for (const FeatureRows& rows : all) {
    const auto found = std::find(rows.samples.begin(), rows.samples.end(), sample);
    if (found != rows.samples.end()) return rows.groups[static_cast<std::size_t>(found - rows.samples.begin())];
  }
  return 0;
}

}  // namespace

FeatureRows merge_rows(std::span<const FeatureRows> all, const KeptLimits& limits, const ContextPool& contexts) {
  FeatureRows merged;
  std::vector<std::vector<Sample>> samples, random_samples;
  std::vector<std::vector<std::uint64_t>> groups;
  for (const FeatureRows& rows : all) {
    merged.statistics.add(rows.statistics);
    merged.histogram.add(rows.histogram);
    samples.push_back(rows.samples);
    groups.push_back(rows.groups);
    random_samples.push_back(rows.random_samples);
  }
  merged.samples = merge_strongest(samples, limits.samples, limits.most_alike, groups, &contexts);
  merged.random_samples = merge_random(random_samples, limits.random_samples, &contexts);
  if (limits.most_alike == 0) return merged;
  for (const Sample& sample : merged.samples) merged.groups.push_back(group_of(sample, all));
  return merged;
}

PartRow join_parts(std::span<const PartRow> rows) {
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

void release_contexts(const FeatureRows& rows, ContextPool& contexts) {
  for (const auto* samples : {&rows.samples, &rows.random_samples}) {
    for (const Sample& sample : *samples) contexts.release(sample.context);
  }
}

}  // namespace saetap

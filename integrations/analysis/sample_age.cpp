#include "integrations/analysis/sample_age.h"

#include <algorithm>

#include "plugin/number_text.h"

namespace saetap {
namespace {

// Windows do not overlap: a step is of the newest one that had begun.
void count_in_parts(std::span<const std::uint64_t> steps, std::vector<AgedSamples>& newest_first) {
  for (const std::uint64_t step : steps) {
    const auto own =
        std::ranges::find_if(newest_first, [&](const AgedSamples& part) { return step >= part.first_step; });
    if (own != newest_first.end()) ++own->samples;
  }
}

}  // namespace

std::optional<SampleAge> age_of(std::span<const Sample> samples, std::span<const StoredWindow> windows, bool all_time) {
  if (samples.empty()) return std::nullopt;
  std::vector<std::uint64_t> steps;
  for (const Sample& sample : samples) steps.push_back(sample.step);
  std::ranges::sort(steps);
  SampleAge age{
      .first_step = steps.front(), .median_step = steps[steps.size() / 2], .last_step = steps.back(), .parts = {}};
  std::uint64_t all = 0, newest = 0;
  for (const StoredWindow& window : windows) all += window.part ? window.eligible : 0;
  // They come by age, oldest first.
  for (std::size_t i = windows.size(); i > 0; --i) {
    const StoredWindow& window = windows[i - 1];
    if (!window.part || (*window.part == PartKind::past && !all_time)) continue;
    newest += window.eligible;
    age.parts.push_back({.part = *window.part,
                         .first_step = window.first_step,
                         .last_step = window.last_step,
                         .newest = share_of(newest, all),
                         .samples = 0});
  }
  count_in_parts(steps, age.parts);
  return age;
}

}  // namespace saetap

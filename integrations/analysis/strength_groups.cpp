#include "integrations/analysis/strength_groups.h"

#include <algorithm>
#include <numeric>

namespace saetap {

std::vector<StrengthGroup> strength_groups(std::span<const Sample> random_samples, std::size_t groups) {
  const std::size_t samples = random_samples.size();
  if (samples == 0 || groups == 0) return {};
  groups = std::clamp<std::size_t>(samples / kFewestInGroup, 1, groups);
  std::vector<std::size_t> order(samples);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, stronger, [&](std::size_t i) { return random_samples[i]; });
  std::vector<StrengthGroup> cut;
  for (std::size_t group = 0; group < groups; ++group) {
    std::vector<std::size_t> own(order.begin() + static_cast<std::ptrdiff_t>(group * samples / groups),
                                 order.begin() + static_cast<std::ptrdiff_t>((group + 1) * samples / groups));
    StrengthGroup made{.weakest = random_samples[own.back()].activation,
                       .strongest = random_samples[own.front()].activation,
                       .samples = {}};
    std::ranges::sort(own);
    for (const std::size_t i : own) made.samples.push_back(random_samples[i]);
    cut.push_back(std::move(made));
  }
  return cut;
}

}  // namespace saetap

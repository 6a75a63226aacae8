#include "plugin/scan/context_scan.h"

#include <cmath>

namespace saetap {

namespace {

float activation_at(const DenseActivations& activations, std::uint32_t row, std::uint32_t feature) {
  return activations.values[row * activations.row_stride + feature];
}

// What no pair names is 0.
float activation_at(const PairActivations& activations, std::uint32_t row, std::uint32_t feature) {
  const auto first = row * activations.per_row;
  for (auto pair = first; pair < first + activations.per_row; ++pair) {
    if (activations.features[pair] == static_cast<std::int64_t>(feature)) return activations.values[pair];
  }
  return 0;
}

}  // namespace

void scan_contexts(const Activations& activations, std::span<const Candidate> candidates, const ContextRows& rows,
                   CandidateContexts& contexts) {
  contexts.contexts.assign(candidates.size(), {});
  contexts.activations.clear();
  const auto scan = [&](const auto& form) {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const auto around = rows.around(candidates[i].row);
      if (!around) continue;
      const auto first = contexts.activations.size();
      for (std::uint32_t at = 0; at < around->rows.size(); ++at) {
        if (at == around->own) continue;
        const auto activation = activation_at(form, around->rows[at], candidates[i].feature);
        if (activation == 0 || !std::isfinite(activation)) continue;
        contexts.activations.push_back(
            {static_cast<std::int32_t>(at) - static_cast<std::int32_t>(around->own), activation});
      }
      contexts.contexts[i] = {static_cast<std::uint32_t>(first),
                              static_cast<std::uint32_t>(contexts.activations.size() - first)};
    }
  };
  std::visit(scan, activations);
}

}  // namespace saetap

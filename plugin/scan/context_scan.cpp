#include "plugin/scan/context_scan.h"

#include <cmath>

#include "plugin/scan/scalar.h"

namespace saetap {

namespace {

float activation_at(const DenseActivations& activations, std::uint32_t row, std::uint32_t feature) {
  return scalar_at(activations.values, activations.kind,
                   row * activations.row_stride + feature * activations.feature_stride);
}

// What no entry names is 0.
template <typename Code>
float entry_at(const Code& code, std::int64_t first, std::int64_t last, std::uint32_t feature) {
  for (auto entry = first; entry < last; ++entry) {
    if (index_at(code.features, code.index_kind, entry) == static_cast<std::int64_t>(feature)) {
      return scalar_at(code.values, code.kind, entry);
    }
  }
  return 0;
}

float activation_at(const PairActivations& activations, std::uint32_t row, std::uint32_t feature) {
  return entry_at(activations, row * activations.per_row, (row + 1) * activations.per_row, feature);
}

float activation_at(const SparseActivations& activations, std::uint32_t row, std::uint32_t feature) {
  return entry_at(activations, index_at(activations.row_starts, activations.index_kind, row),
                  index_at(activations.row_starts, activations.index_kind, std::int64_t{row} + 1), feature);
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

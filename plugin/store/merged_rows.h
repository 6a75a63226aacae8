// What several parts of a run, or of several runs, have of one feature, as one.
#pragma once

#include <cstdint>
#include <span>

#include "plugin/store/part_rows.h"

namespace saetap {

// How much is kept of a feature.
struct KeptLimits {
  std::uint32_t samples = 0;         // k
  std::uint32_t random_samples = 0;  // k
  std::uint32_t most_alike = 0;      // 0: no limit
};

// Keeping the k strongest of each and then of their union is keeping the k strongest of all, so this is exact.
// `contexts`: of all samples; those of what is left are shared with `all`.
[[nodiscard]] FeatureRows merge_rows(std::span<const FeatureRows> all, const KeptLimits& limits,
                                     const ContextPool& contexts);
// `rows` is not empty.
[[nodiscard]] PartRow join_parts(std::span<const PartRow> rows);
// Gives the contexts of all samples back.
void release_contexts(const FeatureRows& rows, ContextPool& contexts);

}  // namespace saetap

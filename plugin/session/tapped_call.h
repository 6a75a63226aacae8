// One tapped call as plain matrices, one for each layer or instance of a stack.
#pragma once

#include <cstdint>
#include <vector>

#include "plugin/session/feature_tap.h"

namespace saetap {

struct TappedCall {
  std::int64_t group = -1;  // of a stack; -1: no stack
  std::int64_t rows = 0;
  at::Tensor features;      // float32 [rows, F] on the CPU, its last dimension contiguous; undefined for pairs
  at::Tensor pair_values;   // float32 [rows, k], contiguous, on the CPU
  at::Tensor pair_indices;  // int64 [rows, k]
  at::Tensor inputs;        // the rows given to the encoder, one each; undefined where they are not known
};

// How many calls, and rows in each, read_call would give: without reading anything.
struct CallShape {
  std::int64_t groups = 1;
  std::int64_t rows = 0;  // of each group
  bool stack = false;
};
[[nodiscard]] CallShape shape_of_call(const FeatureTap& tap, const hooks::FeatureEvent& event);

// Reads one group. float64 is rounded; the half formats are widened, which is exact. Throws std::runtime_error for what
// cannot be features of this tap.
[[nodiscard]] TappedCall read_call(const FeatureTap& tap, const hooks::FeatureEvent& event, const CallShape& shape,
                                   std::int64_t group);

}  // namespace saetap

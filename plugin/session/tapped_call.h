// One tapped call as plain matrices, one for each layer or instance of a stack.
#pragma once

#include <cstdint>
#include <vector>

#include "plugin/scan/batch_scan.h"
#include "plugin/session/feature_tap.h"

namespace saetap {

// In one of three forms; what is not of the form is undefined. The values lie in the program's own tensors where these
// can be read: valid while the tapped call runs.
struct TappedCall {
  std::int64_t group = -1;  // of a stack; -1: no stack
  std::int64_t rows = 0;
  at::Tensor dense;  // [rows, F], on the host also [blocks, rows of a block, F]; any strides
  // Pairs: [rows, k], contiguous. Sparse: [entries].
  at::Tensor values;
  at::Tensor features;
  at::Tensor row_starts;  // sparse: [rows + 1]
  at::Tensor inputs;      // the rows given to the encoder, one each; undefined where they are not known

  // Of a call on the CPU; valid while this lives.
  [[nodiscard]] Activations activations() const;
  // Multiplies each feature's activations by its factor, [F] float32.
  void multiply(const at::Tensor& factors);
};

// How many calls, and rows in each, read_call would give: without reading anything.
struct CallShape {
  std::int64_t groups = 1;
  std::int64_t rows = 0;  // of each group
  bool stack = false;
};
[[nodiscard]] CallShape shape_of_call(const FeatureTap& tap, const hooks::FeatureEvent& event);

// Of pairs, [.., k].
[[nodiscard]] std::int64_t rows_of_pairs(const at::Tensor& values);

// Where a call is scanned: on the accelerator that its features lie on, or on the host. Sparse layouts come to the
// host.
enum class ScanPlace : std::uint8_t { host, device };

// Reads one group. Throws std::runtime_error for what cannot be features of this tap.
[[nodiscard]] TappedCall read_call(const FeatureTap& tap, const hooks::FeatureEvent& event, const CallShape& shape,
                                   std::int64_t group, ScanPlace place);

}  // namespace saetap

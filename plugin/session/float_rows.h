// The rows of a tensor as the trace stage takes them: float32 on the CPU, with their fingerprints.
#pragma once

#include <cstdint>
#include <vector>

#include "hooks/libtorch.h"
#include "plugin/trace/row_matrix.h"

namespace saetap {

// Rows that are wider than float32 are rounded, half formats are widened, which is exact: a row that a trainer widens
// keeps its fingerprint.
class FloatRows {
 public:
  // `rows`: [..., d] of any floating type, at least one dimension; a row is the last one. Any device (copied).
  explicit FloatRows(const at::Tensor& rows);
  // Rows of which nothing is known.
  explicit FloatRows(std::int64_t count) : fingerprints_(static_cast<std::size_t>(count)) {}

  // Valid while this lives.
  [[nodiscard]] RowMatrix view() const;

 private:
  at::Tensor matrix_;
  std::vector<std::uint64_t> fingerprints_;
};

// Spreads the trace stage's work over LibTorch's own threads.
[[nodiscard]] ParallelFor libtorch_threads();

}  // namespace saetap

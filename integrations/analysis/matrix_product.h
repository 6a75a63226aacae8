// Products of large matrices, by OpenBLAS where the machine has it.
#pragma once

#include <cstddef>

namespace saetap {

// Rows of equal width, one after the other.
struct MatrixRows {
  const float* values = nullptr;
  std::size_t rows = 0;
  std::size_t width = 0;
};

// out[i * b.rows + j] = the dot product of row i of `a` and row j of `b`, which has the same width. All numbers are
// finite. One call at a time.
void multiply_rows(MatrixRows a, MatrixRows b, float* out);

// out[i * b.width + j] = the dot product of column i of `a` and column j of `b`, which has as many rows.
void multiply_columns(MatrixRows a, MatrixRows b, float* out);

// The same without OpenBLAS, some ten times slower.
void multiply_rows_plainly(MatrixRows a, MatrixRows b, float* out);
void multiply_columns_plainly(MatrixRows a, MatrixRows b, float* out);

}  // namespace saetap

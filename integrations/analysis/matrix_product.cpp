#include "integrations/analysis/matrix_product.h"

#include <dlfcn.h>

#include <algorithm>

namespace saetap {
namespace {

// cblas_sgemm of OpenBLAS, whose enumerations are part of its binary interface.
using Sgemm = void (*)(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float* a,
                       int lda, const float* b, int ldb, float beta, float* c, int ldc);
constexpr int kRowMajor = 101;
constexpr int kAsItIs = 111;
constexpr int kTransposed = 112;

// Loaded when it is first needed: linked, it would cost every command its start (docs/dependencies.md). Null: not here.
Sgemm sgemm() {
  static const auto found = [] {
    void* library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    return reinterpret_cast<Sgemm>(library != nullptr ? dlsym(library, "cblas_sgemm") : nullptr);
  }();
  return found;
}

int as_int(std::size_t size) {
  return static_cast<int>(size);
}

// Eight running sums, so that the compiler may keep them in one vector register: a plain loop may not be reordered.
float dot(const float* a, const float* b, std::size_t width) {
  float sums[8] = {};
  std::size_t i = 0;
  for (; i + 8 <= width; i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  float sum = 0;
  for (; i < width; ++i) sum += a[i] * b[i];
  for (const float partial : sums) sum += partial;
  return sum;
}

}  // namespace

void multiply_rows_plainly(MatrixRows a, MatrixRows b, float* out) {
  constexpr std::size_t kRowsInCache = 32;  // of b
  for (std::size_t first = 0; first < b.rows; first += kRowsInCache) {
    const std::size_t end = std::min(b.rows, first + kRowsInCache);
    for (std::size_t i = 0; i < a.rows; ++i) {
      for (std::size_t j = first; j < end; ++j) {
        out[i * b.rows + j] = dot(a.values + i * a.width, b.values + j * b.width, a.width);
      }
    }
  }
}

void multiply_columns_plainly(MatrixRows a, MatrixRows b, float* out) {
  std::fill_n(out, a.width * b.width, 0.0f);
  for (std::size_t row = 0; row < a.rows; ++row) {
    const float* other = b.values + row * b.width;
    for (std::size_t i = 0; i < a.width; ++i) {
      const float own = a.values[row * a.width + i];
      for (std::size_t j = 0; j < b.width; ++j) out[i * b.width + j] += own * other[j];
    }
  }
}

void multiply_rows(MatrixRows a, MatrixRows b, float* out) {
  if (sgemm() == nullptr || a.rows == 0 || b.rows == 0) return multiply_rows_plainly(a, b, out);
  const int width = as_int(a.width);
  sgemm()(kRowMajor, kAsItIs, kTransposed, as_int(a.rows), as_int(b.rows), width, 1, a.values, width, b.values, width,
          0, out, as_int(b.rows));
}

void multiply_columns(MatrixRows a, MatrixRows b, float* out) {
  if (sgemm() == nullptr || a.rows == 0 || a.width == 0 || b.width == 0) return multiply_columns_plainly(a, b, out);
  sgemm()(kRowMajor, kTransposed, kAsItIs, as_int(a.width), as_int(b.width), as_int(a.rows), 1, a.values,
          as_int(a.width), b.values, as_int(b.width), 0, out, as_int(b.width));
}

}  // namespace saetap

// Rows of activations as the trace stage sees them, and how work on many of them is spread over cores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace saetap {

// float32 rows, one after the other. Valid during the call it is given to.
struct RowMatrix {
  const float* values = nullptr;  // [count, width]; null: only fingerprints are known
  std::size_t width = 0;
  std::span<const std::uint64_t> fingerprints;  // [count], see row_hash: of the float32 values

  [[nodiscard]] std::size_t count() const { return fingerprints.size(); }
  [[nodiscard]] const float* row(std::size_t i) const { return values + i * width; }
};

// Calls work(first, last) for disjoint ranges that cover [0, count), possibly on several threads, and waits.
using ParallelFor =
    std::function<void(std::size_t count, const std::function<void(std::size_t first, std::size_t last)>& work)>;

inline void serial_for(std::size_t count, const std::function<void(std::size_t, std::size_t)>& work) {
  if (count > 0) work(0, count);
}

// Tokens as a model was given them, in rows of `length`.
struct TokenMatrix {
  std::span<const std::int32_t> ids;       // [batch · length]
  std::size_t length = 0;                  // > 0
  std::span<const std::uint8_t> attended;  // [batch · length], 0: masked; empty: all are attended to
};

}  // namespace saetap

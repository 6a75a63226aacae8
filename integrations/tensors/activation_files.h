// Rows of activations in several files, one after the other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hooks/libtorch.h"
#include "plugin/trace/row_signature.h"

namespace saetap::tensors {

// One file is open at a time. Every function throws cli::Failure that begins with the path.
class ActivationFiles {
 public:
  // Each [rows, d] or [batch, length, d] of float32, float64, float16 or bfloat16, of one width.
  explicit ActivationFiles(std::vector<std::string> paths);

  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::int64_t rows() const { return rows_; }
  // "acts.npy holds 240 rows", "3 files of --activations hold 720 rows"
  [[nodiscard]] std::string text() const;

  // "acts.npy, [24, 10, 64] of float32": the first file whose rows lie in texts of another length than `length`; empty
  // if there is none. Files of [rows, d] do not say it.
  [[nodiscard]] std::string not_of_length(std::int64_t length) const;

  // The next rows, [count, width], in whatever type the files have; as many as there are if there are fewer.
  [[nodiscard]] at::Tensor next(std::int64_t count);
  // Passes over the next rows without reading them.
  void skip(std::int64_t count);

  // Up to `count` of all rows, evenly spread over the files: float32, [.., width].
  [[nodiscard]] at::Tensor sample(std::int64_t count) const;

 private:
  std::vector<std::string> paths_;
  std::vector<std::int64_t> rows_of_;
  std::vector<std::int64_t> lengths_;  // of its texts; 0: it does not say
  std::int64_t width_ = 0;
  std::int64_t rows_ = 0;

  // Moves on within the open file; how many rows of `count` there were in it.
  std::int64_t advance(std::int64_t count);

  std::size_t file_ = 0;  // the one that next() reads
  std::int64_t row_ = 0;  // of it
  at::Tensor open_;
};

}  // namespace saetap::tensors

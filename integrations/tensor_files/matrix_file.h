// A matrix of floats in a file, row by row. No LibTorch.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "integrations/tensor_files/mapped_file.h"
#include "integrations/tensor_files/stored_tensor.h"

namespace saetap::tensors {

class MatrixFile {
 public:
  // `path`: .npy or .safetensors, "FILE:NAME" where it holds several; float32, float64, float16 or bfloat16 with two
  // dimensions. Throws TensorFileError that begins with the file's path.
  explicit MatrixFile(const std::string& path);

  [[nodiscard]] std::size_t rows() const { return static_cast<std::size_t>(stored_.shape[0]); }
  [[nodiscard]] std::size_t columns() const { return static_cast<std::size_t>(stored_.shape[1]); }
  // "lm_head.npy, [30522, 384] of float32"
  [[nodiscard]] std::string text() const { return path_ + ", " + shape_text(stored_); }

  // `row` as float32 into `values`, [columns].
  void read(std::size_t row, std::span<float> values) const;
  // Whoever reads from beginning to end need not keep what is behind: the rows before `row` leave memory.
  void forget_before(std::size_t row) const;

 private:
  std::string path_;
  Mapping file_;
  StoredTensor stored_;
};

}  // namespace saetap::tensors

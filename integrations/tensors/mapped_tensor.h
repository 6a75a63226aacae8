// A tensor of LibTorch that lies in a mapped file.
#pragma once

#include <string>

#include "hooks/libtorch.h"
#include "integrations/tensor_files/mapped_file.h"
#include "integrations/tensor_files/stored_tensor.h"

namespace saetap::tensors {

// It may be read, not written, and keeps the mapping alive; one that is not aligned is a copy. Throws TensorFileError,
// without the path, if the file has no room for such a shape.
[[nodiscard]] at::Tensor mapped_tensor(const Mapping& file, const StoredTensor& stored);

// "[3, 128] of float32"
[[nodiscard]] std::string shape_text(at::ScalarType type, at::IntArrayRef shape);

}  // namespace saetap::tensors

// A file as the kernel pages it in: shards are larger than memory.
#pragma once

#include <c10/core/ScalarType.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hooks/libtorch.h"

namespace saetap::tensors {

class MappedFile {
 public:
  // Throws cli::Failure, without the path: it cannot be read, or is empty, or no regular file.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

using Mapping = std::shared_ptr<const MappedFile>;

// A tensor that lies in the file at `offset`, little-endian, the last dimension closest together. It may be read, not
// written, and keeps the mapping alive; one that is not aligned is a copy. Throws cli::Failure, without the path, if
// the file has no room for such a shape.
[[nodiscard]] at::Tensor mapped_tensor(const Mapping& file, std::uint64_t offset, at::ScalarType type,
                                       const std::vector<std::int64_t>& shape);

// The bytes of such a tensor; nothing if there is no such number, or a dimension is negative.
[[nodiscard]] std::optional<std::uint64_t> tensor_bytes(at::ScalarType type, const std::vector<std::int64_t>& shape);

// "[3, 128] of float32"
[[nodiscard]] std::string shape_text(at::ScalarType type, at::IntArrayRef shape);

}  // namespace saetap::tensors

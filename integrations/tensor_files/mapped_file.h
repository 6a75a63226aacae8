// A file as the kernel pages it in: shards are larger than memory.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace saetap::tensors {

class MappedFile {
 public:
  // Throws TensorFileError, without the path: it cannot be read, or is empty, or no regular file.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

using Mapping = std::shared_ptr<const MappedFile>;

}  // namespace saetap::tensors

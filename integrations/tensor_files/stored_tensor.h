// Where a tensor lies in a file, and of what type it is. No LibTorch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace saetap::tensors {

enum class NumberType : std::uint8_t { f32, f64, f16, bf16, i8, i16, i32, i64, u8, u16, u32, u64, boolean };

[[nodiscard]] std::size_t bytes_of(NumberType type);
// "float32": as numpy and PyTorch's users say it.
[[nodiscard]] std::string_view name_of(NumberType type);

// Little-endian, the last dimension closest together.
struct StoredTensor {
  std::string name;  // empty in a file of one
  NumberType type = NumberType::f32;
  std::vector<std::int64_t> shape;
  std::uint64_t offset = 0;  // in the file
};

// The bytes of such a tensor; nothing if there is no such number, or a dimension is negative.
[[nodiscard]] std::optional<std::uint64_t> tensor_bytes(NumberType type, std::span<const std::int64_t> shape);

// "[3, 128] of float32"
[[nodiscard]] std::string shape_text(std::string_view type, std::span<const std::int64_t> shape);
[[nodiscard]] std::string shape_text(const StoredTensor& tensor);

// Each reads one format, and throws TensorFileError, without the path. The tensors lie within the file.
[[nodiscard]] StoredTensor npy_tensor(std::span<const std::byte> file);
[[nodiscard]] std::vector<StoredTensor> safetensors(std::span<const std::byte> file);

// The tensors of either, told apart by content and name; nothing if it is another format. Throws as these do.
[[nodiscard]] std::optional<std::vector<StoredTensor>> stored_tensors(std::span<const std::byte> file,
                                                                      const std::string& path);

// Throws TensorFileError, without the path, if the file has no room for the tensor.
void check_room(const StoredTensor& tensor, std::size_t file_bytes);

// "FILE:NAME". A file whose own name has a colon is meant as it is, if it is there.
struct TensorPlace {
  std::string file;
  std::string name;  // empty: none was given
};
[[nodiscard]] TensorPlace tensor_place(const std::string& path);

// The index of the tensor of that name, or, if it is empty, of the only one. Throws TensorFileError, without the path.
[[nodiscard]] std::size_t chosen_tensor(std::span<const std::string> names, const std::string& name);

}  // namespace saetap::tensors

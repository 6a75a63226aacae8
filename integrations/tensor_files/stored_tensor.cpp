#include "integrations/tensor_files/stored_tensor.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>

#include "integrations/tensor_files/tensor_file_error.h"

namespace saetap::tensors {

namespace {

struct TypeFacts {
  std::string_view name;
  std::size_t bytes;
};
// In the order of NumberType.
constexpr std::array<TypeFacts, 13> kTypes{{{"float32", 4},
                                            {"float64", 8},
                                            {"float16", 2},
                                            {"bfloat16", 2},
                                            {"int8", 1},
                                            {"int16", 2},
                                            {"int32", 4},
                                            {"int64", 8},
                                            {"uint8", 1},
                                            {"uint16", 2},
                                            {"uint32", 4},
                                            {"uint64", 8},
                                            {"bool", 1}}};

}  // namespace

std::size_t bytes_of(NumberType type) {
  return kTypes[static_cast<std::size_t>(type)].bytes;
}

std::string_view name_of(NumberType type) {
  return kTypes[static_cast<std::size_t>(type)].name;
}

std::optional<std::uint64_t> tensor_bytes(NumberType type, std::span<const std::int64_t> shape) {
  std::uint64_t bytes = bytes_of(type);
  // A 0 among them must not hide that the others are impossible: LibTorch multiplies them in turn.
  for (const auto size : shape) {
    if (size < 0 || __builtin_mul_overflow(bytes, std::max<std::uint64_t>(1, static_cast<std::uint64_t>(size)), &bytes))
      return std::nullopt;
  }
  if (bytes > std::uint64_t{1} << 62) return std::nullopt;
  return std::ranges::find(shape, 0) != shape.end() ? 0 : bytes;
}

std::string shape_text(std::string_view type, std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text.append("] of ").append(type);
}

std::string shape_text(const StoredTensor& tensor) {
  return shape_text(name_of(tensor.type), tensor.shape);
}

void check_room(const StoredTensor& tensor, std::size_t file_bytes) {
  const auto bytes = tensor_bytes(tensor.type, tensor.shape);
  const std::uint64_t left = tensor.offset > file_bytes ? 0 : file_bytes - tensor.offset;
  if (bytes && tensor.offset <= file_bytes && *bytes <= left) return;
  throw TensorFileError("its header promises " + shape_text(tensor) +
                        (bytes ? ", " + std::to_string(*bytes) + " bytes" : "") + ", and " + std::to_string(left) +
                        " are there");
}

std::optional<std::vector<StoredTensor>> stored_tensors(std::span<const std::byte> file, const std::string& path) {
  constexpr std::string_view kNpy = "\x93NUMPY";
  if (file.size() >= kNpy.size() && std::memcmp(file.data(), kNpy.data(), kNpy.size()) == 0) {
    return std::vector{npy_tensor(file)};
  }
  if (path.ends_with(".safetensors")) return safetensors(file);
  return std::nullopt;
}

TensorPlace tensor_place(const std::string& path) {
  const auto colon = path.rfind(':');
  std::error_code unknown;
  if (colon == std::string::npos || std::filesystem::exists(path, unknown)) return {path, ""};
  return {path.substr(0, colon), path.substr(colon + 1)};
}

std::size_t chosen_tensor(std::span<const std::string> names, const std::string& name) {
  if (name.empty() && names.size() == 1) return 0;
  const auto found = std::ranges::find(names, name);
  if (!name.empty() && found != names.end()) return static_cast<std::size_t>(found - names.begin());
  std::string list;
  for (const auto& known : names) list += (list.empty() ? "" : ", ") + (known.empty() ? "one" : known);
  throw TensorFileError((name.empty() ? "which tensor? It holds " : "there is no tensor " + name + ", only ") +
                        (list.empty() ? "none" : list) +
                        (name.empty() && !list.empty() ? " (name one behind a colon, FILE:NAME)" : ""));
}

}  // namespace saetap::tensors

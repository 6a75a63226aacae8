#include "integrations/tensors/mapped_tensor.h"

#include <c10/core/ScalarType.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

namespace saetap::tensors {
namespace {

// In the order of NumberType.
constexpr std::array<at::ScalarType, 13> kTypes{at::kFloat,  at::kDouble, at::kHalf, at::kBFloat16, at::kChar,
                                                at::kShort,  at::kInt,    at::kLong, at::kByte,     at::kUInt16,
                                                at::kUInt32, at::kUInt64, at::kBool};

std::string type_name(at::ScalarType type) {
  const auto* known = std::ranges::find(kTypes, type);
  if (known != kTypes.end()) return std::string(name_of(static_cast<NumberType>(known - kTypes.begin())));
  std::string name = c10::toString(type);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

}  // namespace

std::string shape_text(at::ScalarType type, at::IntArrayRef shape) {
  return shape_text(type_name(type), std::span(shape.data(), shape.size()));
}

at::Tensor mapped_tensor(const Mapping& file, const StoredTensor& stored) {
  check_room(stored, file->bytes().size());
  const at::ScalarType type = kTypes[static_cast<std::size_t>(stored.type)];
  const auto* begin = file->bytes().data() + stored.offset;
  if (reinterpret_cast<std::uintptr_t>(begin) % bytes_of(stored.type) != 0) {
    auto copy = at::empty(stored.shape, type);
    if (copy.nbytes() > 0) std::memcpy(copy.mutable_data_ptr(), begin, copy.nbytes());
    return copy;
  }
  return at::from_blob(
      const_cast<std::byte*>(begin), stored.shape, [file](void*) {}, type);
}

}  // namespace saetap::tensors

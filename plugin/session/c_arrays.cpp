#include "plugin/session/c_arrays.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

namespace saetap {

namespace {

constexpr std::int32_t kMostDims = 8;
constexpr std::int64_t kMostElements = std::int64_t{1} << 48;

[[noreturn]] void refuse(const char* what, const std::string& why) {
  throw std::invalid_argument(std::string(what) + ": " + why);
}

at::ScalarType type_of(const saetap_array& array, const char* what) {
  switch (array.type) {
    case SAETAP_FLOAT32:
      return at::kFloat;
    case SAETAP_FLOAT64:
      return at::kDouble;
    case SAETAP_BFLOAT16:
      return at::kBFloat16;
    case SAETAP_FLOAT16:
      return at::kHalf;
    case SAETAP_INT32:
      return at::kInt;
    case SAETAP_INT64:
      return at::kLong;
    case SAETAP_UINT8:
      return at::kByte;
    default:
      refuse(what, "type " + std::to_string(array.type) + " is none of enum saetap_type");
  }
}

}  // namespace

at::Tensor tensor_of(const saetap_array* array, const char* what) {
  if (array == nullptr) return {};
  if (array->dims < 1 || array->dims > kMostDims || array->shape == nullptr) {
    refuse(what, std::to_string(array->dims) + " dimensions, has to be 1 to 8, with a shape");
  }
  const auto dims = static_cast<std::size_t>(array->dims);
  const std::vector<std::int64_t> shape(array->shape, array->shape + dims);
  std::int64_t elements = 1;
  for (const auto size : shape) {
    const bool fits = size >= 0 && size <= kMostElements / std::max<std::int64_t>(elements, 1);
    if (!fits) refuse(what, "a size of " + std::to_string(size));
    elements *= size;
  }
  if (array->data == nullptr && elements > 0) refuse(what, "data is NULL");
  const auto options = at::TensorOptions(type_of(*array, what));
  // Nothing writes through it.
  auto* data = const_cast<void*>(array->data);
  if (elements == 0) return at::empty(shape, options);
  if (array->strides == nullptr) return at::from_blob(data, shape, options);
  const std::vector<std::int64_t> strides(array->strides, array->strides + dims);
  for (const auto stride : strides) {
    if (stride < 0 || stride > kMostElements) refuse(what, "a stride of " + std::to_string(stride));
  }
  return at::from_blob(data, shape, strides, options);
}

}  // namespace saetap

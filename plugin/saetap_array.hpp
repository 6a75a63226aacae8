// Views of arrays that saetap.hpp takes. C++17; nothing here throws.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "saetap.h"

#if defined(TORCH_VERSION)
#include <ATen/core/Tensor.h>
#endif

namespace saetap {

namespace detail {

template <class Number>
constexpr saetap_type native_type() {
  constexpr bool integer = std::is_integral_v<Number>;
  if constexpr (std::is_same_v<Number, float>) {
    return SAETAP_FLOAT32;
  } else if constexpr (std::is_same_v<Number, double>) {
    return SAETAP_FLOAT64;
  } else if constexpr (integer && std::is_signed_v<Number> && sizeof(Number) == 4) {
    return SAETAP_INT32;
  } else if constexpr (integer && std::is_signed_v<Number> && sizeof(Number) == 8) {
    return SAETAP_INT64;
  } else {
    static_assert(integer && std::is_unsigned_v<Number> && sizeof(Number) == 1,
                  "an Array has float, double, signed integers of 4 or 8 bytes, unsigned ones of 1, bool, or a type "
                  "that saetap::element_type is specialised for");
    return SAETAP_UINT8;
  }
}

}  // namespace detail

// How saetap calls the type of an array's numbers. For a type of your own in half precision:
//   template <> constexpr saetap_type saetap::element_type<my::bfloat16> = SAETAP_BFLOAT16;
template <class Number>
constexpr saetap_type element_type = detail::native_type<Number>();

// A view of numbers in the program's own memory, on the host; it owns nothing. Without a shape it stands for "not
// given".
class Array {
 public:
  static constexpr std::size_t kMaxDims = 8;

  Array() noexcept = default;

  // `strides`: of each dimension, in elements; {}: one row after the other, without gaps.
  template <class Number>
  Array(const Number* numbers, std::initializer_list<std::int64_t> shape,
        std::initializer_list<std::int64_t> strides = {}) noexcept
      : Array(numbers, element_type<Number>, shape.begin(), shape.size(),
              strides.size() == shape.size() ? strides.begin() : nullptr) {
    if (strides.size() > 0 && !strided_) fault_ = "an array has as many strides as dimensions";
  }

  // The same of any type and number of dimensions. `shape`: [dims], copied. `strides`: [dims], copied, or nullptr.
  Array(const void* numbers, saetap_type type, const std::int64_t* shape, std::size_t dims,
        const std::int64_t* strides = nullptr) noexcept
      : numbers_(numbers), type_(type), dims_(std::min(dims, kMaxDims)), strided_(strides != nullptr) {
    if (dims > kMaxDims) fault_ = "an array has at most 8 dimensions";
    for (std::size_t i = 0; i < dims_; ++i) shape_[i] = shape[i];
    for (std::size_t i = 0; strided_ && i < dims_; ++i) strides_[i] = strides[i];
  }

  // One that no call takes, for the reason that is given: a string that is never destroyed.
  static Array unreadable(const char* why) noexcept {
    Array array;
    array.fault_ = why;
    return array;
  }

  [[nodiscard]] bool given() const noexcept { return dims_ > 0 || fault_ != nullptr; }
  // Why no call takes it, or nullptr.
  [[nodiscard]] const char* fault() const noexcept { return fault_; }
  // As the C interface has it; valid as long as this object stays where it is.
  [[nodiscard]] saetap_array c_array() const noexcept {
    return {numbers_, type_, static_cast<std::int32_t>(dims_), shape_.data(), strided_ ? strides_.data() : nullptr};
  }

 private:
  const void* numbers_ = nullptr;
  std::int32_t type_ = SAETAP_FLOAT32;
  std::size_t dims_ = 0;
  bool strided_ = false;
  std::array<std::int64_t, kMaxDims> shape_{};
  std::array<std::int64_t, kMaxDims> strides_{};
  const char* fault_ = nullptr;
};

#if defined(TORCH_VERSION)
// A view of a tensor, which has to live as long as the view is used: strided, in the host's memory.
inline Array array(const at::Tensor& tensor) noexcept {
  try {
    if (!tensor.defined() || tensor.layout() != at::kStrided) return Array::unreadable("the tensor is not strided");
    if (!tensor.device().is_cpu()) return Array::unreadable("the tensor is not in the host's memory: call .cpu()");
    const auto as = [&](saetap_type type) {
      return Array(tensor.const_data_ptr(), type, tensor.sizes().data(), tensor.sizes().size(),
                   tensor.strides().data());
    };
    switch (tensor.scalar_type()) {
      case at::kFloat:
        return as(SAETAP_FLOAT32);
      case at::kDouble:
        return as(SAETAP_FLOAT64);
      case at::kBFloat16:
        return as(SAETAP_BFLOAT16);
      case at::kHalf:
        return as(SAETAP_FLOAT16);
      case at::kInt:
        return as(SAETAP_INT32);
      case at::kLong:
        return as(SAETAP_INT64);
      case at::kByte:
      case at::kBool:
        return as(SAETAP_UINT8);
      default:
        return Array::unreadable("the tensor's type is none that saetap reads");
    }
  } catch (...) {
    return Array::unreadable("the tensor has no memory");
  }
}
#endif

}  // namespace saetap

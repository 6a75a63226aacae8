// Reading one stored number.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "plugin/scan/batch_scan.h"

namespace saetap {

[[nodiscard]] inline float float_from_half_bits(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16;
  const std::uint32_t magnitude = bits & 0x7FFFu;
  if (magnitude >= 0x7C00u) return std::bit_cast<float>(sign | 0x7F800000u | (magnitude & 0x3FFu) << 13);
  // A denormal is made from a whole number, because a trainer may have its threads take denormal floats for 0.
  const float value = magnitude < 0x400u ? static_cast<float>(magnitude) * 0x1p-24f
                                         : std::bit_cast<float>((magnitude << 13) + (112u << 23));
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(value));
}

// The number at `index`, as a float: exact for the half formats, rounded for float64.
[[nodiscard]] inline float scalar_at(const void* values, ScalarKind kind, std::int64_t index) {
  const auto read = [&]<typename T>(T) {
    T value;
    std::memcpy(&value, static_cast<const T*>(values) + index, sizeof value);
    return value;
  };
  switch (kind) {
    case ScalarKind::float32:
      return read(float{});
    case ScalarKind::float64:
      return static_cast<float>(read(double{}));
    case ScalarKind::bfloat16:
      return std::bit_cast<float>(std::uint32_t{read(std::uint16_t{})} << 16);
    case ScalarKind::float16:
      return float_from_half_bits(read(std::uint16_t{}));
  }
  return 0;
}

[[nodiscard]] inline std::int64_t index_at(const void* indices, IndexKind kind, std::int64_t index) {
  return kind == IndexKind::int64 ? static_cast<const std::int64_t*>(indices)[index]
                                  : static_cast<const std::int32_t*>(indices)[index];
}

}  // namespace saetap

#include "plugin/store/half.h"

#include <bit>

namespace saetap {
namespace {

constexpr std::uint32_t kFloatExponent = 0x7F800000u;
constexpr std::uint32_t kFloatMantissa = 0x007FFFFFu;
constexpr std::uint32_t kHalfInfinity = 0x7C00u;
constexpr int kBiasDifference = 127 - 15;
constexpr int kDroppedBits = 23 - 10;

// `value` without its `bits` lowest bits, rounded to nearest, ties to even.
std::uint32_t shift_rounded(std::uint32_t value, int bits) {
  const std::uint32_t kept = value >> bits;
  const std::uint32_t rest = value & ((1u << bits) - 1);
  const std::uint32_t tie = 1u << (bits - 1);
  return kept + (rest > tie || (rest == tie && (kept & 1u) != 0) ? 1u : 0u);
}

}  // namespace

std::uint16_t half_from_float(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t magnitude = bits & ~0x80000000u;
  const int exponent = static_cast<int>(magnitude >> 23) - kBiasDifference;
  std::uint32_t half = 0;
  if (magnitude > kFloatExponent) {
    half = kHalfInfinity | 0x0200u;  // NaN
  } else if (exponent >= 31) {
    half = kHalfInfinity;
  } else if (exponent > 0) {
    // A carry out of the mantissa goes on into the exponent, and from the largest number to infinity, as it should.
    half = shift_rounded(magnitude - (std::uint32_t{kBiasDifference} << 23), kDroppedBits);
  } else if (exponent >= -10) {
    // Subnormal in half: the hidden one becomes explicit and moves right.
    half = shift_rounded((magnitude & kFloatMantissa) | 0x00800000u, kDroppedBits + 1 - exponent);
  }
  return static_cast<std::uint16_t>(sign | half);
}

float float_from_half(std::uint16_t half) {
  const std::uint32_t sign = (std::uint32_t{half} & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1Fu;
  const std::uint32_t mantissa = half & 0x03FFu;
  if (exponent == 31) return std::bit_cast<float>(sign | kFloatExponent | (mantissa << kDroppedBits));
  if (exponent != 0) {
    return std::bit_cast<float>(sign | ((exponent + kBiasDifference) << 23) | (mantissa << kDroppedBits));
  }
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;  // subnormal or zero
  return sign != 0 ? -magnitude : magnitude;
}

}  // namespace saetap

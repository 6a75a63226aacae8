// IEEE 754 binary16 <-> binary32 in plain integer arithmetic: the same bits on every machine.
#pragma once

#include <cstdint>

namespace saetap {

// Rounds to nearest, ties to even; what is too large becomes infinity, NaN stays NaN.
[[nodiscard]] std::uint16_t half_from_float(float value);

// Exact.
[[nodiscard]] float float_from_half(std::uint16_t half);

}  // namespace saetap

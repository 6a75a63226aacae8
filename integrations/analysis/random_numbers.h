// Random choices that are the same with every compiler: what the standard library's distributions draw is its own
// affair.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <utility>

namespace saetap {

using RandomBits = std::mt19937_64;

// From 0 to `count` - 1.
[[nodiscard]] inline std::size_t random_index(RandomBits& bits, std::size_t count) {
  return static_cast<std::size_t>(bits() % count);
}

// From 0 to just below 1.
[[nodiscard]] inline double random_share(RandomBits& bits) {
  return static_cast<double>(bits() >> 11) * 0x1p-53;
}

template <typename Value>
void shuffle(std::span<Value> values, RandomBits& bits) {
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random_index(bits, i)]);
}

}  // namespace saetap

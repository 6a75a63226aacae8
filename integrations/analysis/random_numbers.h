// Random choices that are the same with every compiler: what the standard library's distributions draw is its own
// affair.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <utility>
#include <vector>

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

// Chooses indices, each with the probability that is its weight's share of all. Weights: not below 0, one at least.
class WeightedChoice {
 public:
  explicit WeightedChoice(std::span<const float> weights) {
    double sum = 0;  // in single precision small weights after many others would be lost
    for (const float weight : weights) sums_.push_back(sum += static_cast<double>(weight));
  }
  [[nodiscard]] std::size_t draw(RandomBits& bits) const {
    const double at = random_share(bits) * sums_.back();
    const auto found = std::upper_bound(sums_.begin(), sums_.end(), at);
    return std::min<std::size_t>(static_cast<std::size_t>(found - sums_.begin()), sums_.size() - 1);
  }

 private:
  std::vector<double> sums_;  // of each weight and those before
};

template <typename Value>
void shuffle(std::span<Value> values, RandomBits& bits) {
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random_index(bits, i)]);
}

}  // namespace saetap

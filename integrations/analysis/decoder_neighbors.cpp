#include "integrations/analysis/decoder_neighbors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <numeric>
#include <tuple>
#include <utility>

namespace saetap {
namespace {

// Of a direction and a stored one.
struct HalfProduct {
  float dot = 0;
  float square = 0;  // of the stored one
  bool finite = true;
};

HalfProduct half_product(const float* own, const std::uint16_t* stored, std::size_t width) {
  constexpr std::uint32_t kNotFinite = 0x7C00;  // the largest exponent
  float dots[8] = {}, squares[8] = {};
  std::uint32_t largest = 0;
  const auto add = [&](std::size_t i, std::size_t lane) {
    const std::uint32_t half = stored[i];
    // Half's exponent and mantissa in those of a float: what is missing is the distance of the two biases.
    const float value = std::bit_cast<float>((half & 0x8000u) << 16 | (half & 0x7FFFu) << 13) * 0x1p112f;
    largest = std::max(largest, half & kNotFinite);
    dots[lane] += own[i] * value;
    squares[lane] += value * value;
  };
  std::size_t i = 0;
  for (; i + 8 <= width; i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) add(i + lane, lane);
  }
  for (; i < width; ++i) add(i, i % 8);
  return {.dot = std::accumulate(std::begin(dots), std::end(dots), 0.0f),
          .square = std::accumulate(std::begin(squares), std::end(squares), 0.0f),
          .finite = largest != kNotFinite};
}

std::vector<Neighbor> best_of(std::vector<Neighbor> neighbors, std::size_t top) {
  const std::size_t kept = std::min(top, neighbors.size());
  std::partial_sort(neighbors.begin(), neighbors.begin() + static_cast<std::ptrdiff_t>(kept), neighbors.end(), nearer);
  neighbors.resize(kept);
  return neighbors;
}

}  // namespace

bool nearer(const Neighbor& a, const Neighbor& b) {
  return std::tuple(-a.cosine, a.feature) < std::tuple(-b.cosine, b.feature);
}

std::vector<Neighbor> nearest_in_store(const StoreReader& store, const StoredSite& site, std::uint32_t feature,
                                       std::size_t top) {
  const std::vector<float> own = store.decoder_direction(site.site.id, feature);
  const double norm = std::sqrt(std::inner_product(own.begin(), own.end(), own.begin(), 0.0));
  if (!std::isfinite(norm) || norm == 0) return {};
  std::vector<Neighbor> neighbors;
  std::uint32_t other = 0;
  store.each_decoder_block(site.site.id, [&](std::span<const std::uint16_t> block) {
    for (std::size_t begin = 0; begin < block.size(); begin += own.size(), ++other) {
      const HalfProduct product = half_product(own.data(), block.data() + begin, own.size());
      if (other == feature || !product.finite || product.square == 0) continue;
      neighbors.push_back({other, product.dot / (norm * std::sqrt(double{product.square}))});
    }
  });
  return best_of(std::move(neighbors), top);
}

}  // namespace saetap

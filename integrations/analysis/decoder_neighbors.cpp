#include "integrations/analysis/decoder_neighbors.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

namespace saetap {
namespace {

// Eight running sums, so that the compiler may keep them in one vector register: a plain loop may not be reordered.
float dot(const float* a, const float* b, std::size_t width) {
  float sums[8] = {};
  std::size_t i = 0;
  for (; i + 8 <= width; i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  float sum = 0;
  for (; i < width; ++i) sum += a[i] * b[i];
  for (const float partial : sums) sum += partial;
  return sum;
}

}  // namespace

DecoderNeighbors::DecoderNeighbors(std::vector<float> directions, std::int64_t features)
    : directions_(std::move(directions)) {
  const auto count = static_cast<std::size_t>(features);
  if (count == 0 || directions_.size() < count) return;
  width_ = directions_.size() / count;
  for (std::size_t feature = 0; feature < count; ++feature) {
    const float* own = &directions_[feature * width_];
    const double norm = std::sqrt(static_cast<double>(dot(own, own, width_)));
    inverse_norms_.push_back(std::isfinite(norm) && norm > 0 ? 1 / norm : 0);
  }
}

std::vector<Neighbor> DecoderNeighbors::nearest(std::uint32_t feature, std::size_t top) const {
  std::vector<Neighbor> neighbors;
  if (feature >= inverse_norms_.size() || inverse_norms_[feature] == 0) return neighbors;
  const float* own = &directions_[feature * width_];
  for (std::size_t other = 0; other < inverse_norms_.size(); ++other) {
    if (other == feature || inverse_norms_[other] == 0) continue;
    const double product = dot(own, &directions_[other * width_], width_);
    neighbors.push_back({static_cast<std::uint32_t>(other), product * inverse_norms_[feature] * inverse_norms_[other]});
  }
  const std::size_t kept = std::min(top, neighbors.size());
  std::partial_sort(neighbors.begin(), neighbors.begin() + static_cast<std::ptrdiff_t>(kept), neighbors.end(),
                    [](const Neighbor& a, const Neighbor& b) {
                      return std::tuple(-a.cosine, a.feature) < std::tuple(-b.cosine, b.feature);
                    });
  neighbors.resize(kept);
  return neighbors;
}

}  // namespace saetap

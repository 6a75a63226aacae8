#include "plugin/store/imported_statistics.h"

#include <cmath>
#include <limits>
#include <stdexcept>

namespace saetap {
namespace {

// Rounding hides a few of the last bits of a sum: where they may lie around a first guess, generously.
constexpr double kAround = 1e-9;

// The lowest number around `guess` for which `figure`, which does not fall, is at least `wanted`.
template <typename Figure>
double solved(double guess, double wanted, Figure figure) {
  if (figure(guess) == wanted) return guess;
  double low = guess - std::abs(guess) * kAround, high = guess + std::abs(guess) * kAround;
  for (double middle = low + (high - low) / 2; middle > low && middle < high; middle = low + (high - low) / 2) {
    (figure(middle) < wanted ? low : high) = middle;
  }
  return high;
}

}  // namespace

FeatureStatistics statistics_of(const JsonFeature& feature) {
  FeatureStatistics sums;
  if (!(std::abs(feature.max) <= double{std::numeric_limits<float>::max()})) {
    throw std::invalid_argument("a max is too large");
  }
  if (feature.std < 0) throw std::invalid_argument("a std is below 0");
  sums.active = feature.active_count;
  sums.max = static_cast<float>(feature.max);
  if (sums.active == 0) return sums;
  const auto count = static_cast<double>(sums.active);
  sums.sum = solved(feature.mean * count, feature.mean, [&](double sum) {
    sums.sum = sum;
    return sums.mean();
  });
  const double squares = (feature.std * feature.std + feature.mean * feature.mean) * count;
  sums.sum_of_squares = solved(squares, feature.std, [&](double sum) {
    sums.sum_of_squares = sum;
    return sums.standard_deviation();
  });
  if (!std::isfinite(sums.sum) || !std::isfinite(sums.sum_of_squares)) {
    throw std::invalid_argument("a mean or std is too large");
  }
  return sums;
}

}  // namespace saetap

#include "integrations/analysis/agreement.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

namespace saetap {
namespace {

// From 1; equal values share the mean of their ranks.
std::vector<double> ranks_of(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t end = first + 1;
    while (end < order.size() && values[order[end]] == values[order[first]]) ++end;
    for (std::size_t i = first; i < end; ++i) ranks[order[i]] = static_cast<double>(first + 1 + end) / 2;
    first = end;
  }
  return ranks;
}

std::span<const Sample> strongest(std::span<const Sample> samples, std::size_t most) {
  return samples.first(std::min(most, samples.size()));
}

std::optional<double> share_among(std::span<const Sample> samples, std::span<const Sample> others) {
  if (samples.size() < kFewestTopPlaces) return std::nullopt;
  const auto is_there = [&](const Sample& one) {
    return std::any_of(others.begin(), others.end(), [&](const Sample& other) { return same_place(one, other); });
  };
  const auto there = std::count_if(samples.begin(), samples.end(), is_there);
  return static_cast<double>(there) / static_cast<double>(samples.size());
}

bool place_before(const Sample& a, const Sample& b) {
  return std::tie(a.sequence, a.position) < std::tie(b.sequence, b.position);
}

}  // namespace

std::optional<double> rank_correlation(std::span<const double> a, std::span<const double> b) {
  const std::vector<double> ranks_a = ranks_of(a), ranks_b = ranks_of(b);
  const double mean = (static_cast<double>(a.size()) + 1) / 2;  // of ranks, however many are shared
  double covariance = 0, variance_a = 0, variance_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    covariance += (ranks_a[i] - mean) * (ranks_b[i] - mean);
    variance_a += (ranks_a[i] - mean) * (ranks_a[i] - mean);
    variance_b += (ranks_b[i] - mean) * (ranks_b[i] - mean);
  }
  if (variance_a == 0 || variance_b == 0) return std::nullopt;
  return covariance / std::sqrt(variance_a * variance_b);
}

std::pair<std::vector<double>, std::vector<double>> common_strengths(std::vector<Sample> a, std::vector<Sample> b) {
  std::sort(a.begin(), a.end(), place_before);
  std::sort(b.begin(), b.end(), place_before);
  std::pair<std::vector<double>, std::vector<double>> strengths;
  for (auto one = a.begin(), other = b.begin(); one != a.end() && other != b.end();) {
    if (place_before(*one, *other)) {
      ++one;
    } else if (place_before(*other, *one)) {
      ++other;
    } else {
      strengths.first.push_back(std::abs(double{(one++)->activation}));
      strengths.second.push_back(std::abs(double{(other++)->activation}));
    }
  }
  return strengths;
}

FeatureAgreement compare_feature(std::uint32_t feature, const KeptOfFeature& training,
                                 const KeptOfFeature& final_pass) {
  FeatureAgreement agreement;
  agreement.feature = feature;
  agreement.training_active = training.statistics.active;
  agreement.final_active = final_pass.statistics.active;
  const std::span<const Sample> top = strongest(final_pass.samples, kTopPlaces);
  agreement.top_overlap = share_among(top, strongest(training.samples, top.size()));
  agreement.found = share_among(strongest(training.samples, kTopPlaces), final_pass.samples);
  const auto [in_training, in_final] = common_strengths(training.random_samples, final_pass.random_samples);
  agreement.common_places = in_training.size();
  if (agreement.common_places >= kFewestCommonPlaces) agreement.correlation = rank_correlation(in_training, in_final);
  return agreement;
}

Spread spread_of(std::vector<double> figures) {
  Spread spread{.features = figures.size(), .median = 0, .mean = 0};
  if (figures.empty()) return spread;
  std::sort(figures.begin(), figures.end());
  const std::size_t middle = figures.size() / 2;
  spread.median = figures.size() % 2 == 1 ? figures[middle] : (figures[middle - 1] + figures[middle]) / 2;
  spread.mean = std::accumulate(figures.begin(), figures.end(), 0.0) / static_cast<double>(figures.size());
  return spread;
}

std::vector<FeatureAgreement> least_agreeing(std::vector<FeatureAgreement> features, std::size_t most) {
  std::erase_if(features, [](const FeatureAgreement& one) { return !one.found && !one.correlation; });
  const auto key = [](const FeatureAgreement& one) {
    constexpr double kHighest = std::numeric_limits<double>::infinity();
    return std::tuple(one.found.value_or(kHighest), one.correlation.value_or(kHighest), one.feature);
  };
  std::sort(features.begin(), features.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  features.resize(std::min(most, features.size()));
  return features;
}

}  // namespace saetap

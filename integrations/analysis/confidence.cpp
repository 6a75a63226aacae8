#include "integrations/analysis/confidence.h"

#include <boost/math/distributions/beta.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

namespace saetap {

namespace math = boost::math;

std::optional<Interval> share_interval(std::uint64_t hits, std::uint64_t of) {
  if (of == 0 || hits > of) return std::nullopt;
  constexpr double kOneSide = (1 - kConfidence) / 2;
  const auto met = static_cast<double>(hits), missed = static_cast<double>(of - hits);
  Interval interval{0, 1};
  if (hits > 0) interval.low = math::quantile(math::beta_distribution<>(met, missed + 1), kOneSide);
  if (hits < of) interval.high = math::quantile(complement(math::beta_distribution<>(met + 1, missed), kOneSide));
  return interval;
}

std::optional<Interval> mean_interval(const FeatureStatistics& statistics) {
  if (statistics.active < 2) return std::nullopt;
  const auto n = static_cast<double>(statistics.active);
  const double error = statistics.standard_deviation() / std::sqrt(n - 1);  // of the mean, from the population's
  const double times = math::quantile(complement(math::students_t_distribution<>(n - 1), (1 - kConfidence) / 2));
  return Interval{statistics.mean() - times * error, statistics.mean() + times * error};
}

}  // namespace saetap

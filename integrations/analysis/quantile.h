// Quantiles of a list of figures.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace saetap {

// Of ascending values: the smallest one that at least `share` of them do not exceed (NumPy's "inverted_cdf"); 0 of
// none.
[[nodiscard]] inline double quantile_of(std::span<const double> ascending, double share) {
  if (ascending.empty()) return 0;
  const auto not_exceeding = static_cast<std::size_t>(std::ceil(share * static_cast<double>(ascending.size())));
  return ascending[std::clamp<std::size_t>(not_exceeding, 1, ascending.size()) - 1];
}

}  // namespace saetap

// How far a figure of a sample may be from that of endless text of the same kind.
#pragma once

#include <cstdint>
#include <optional>

#include "plugin/collect/feature_statistics.h"

namespace saetap {

inline constexpr double kConfidence = 0.95;  // of every interval here, two-sided
// For whoever prints one. A word that comes ten times in one text is not ten independent sights of it.
inline constexpr const char* kIntervalNote =
    "95 % intervals as if tokens were independent; those of one text are not, so they are too narrow";

struct Interval {
  double low = 0;
  double high = 0;
};

// Of a share seen as `hits` of `of`: Clopper and Pearson's, which covers at least as often as it says, however few
// there are. Nothing if `of` is 0.
[[nodiscard]] std::optional<Interval> share_interval(std::uint64_t hits, std::uint64_t of);

// Of the mean of the active values: Student's t. Nothing for fewer than two.
[[nodiscard]] std::optional<Interval> mean_interval(const FeatureStatistics& statistics);

}  // namespace saetap

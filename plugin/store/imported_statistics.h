// A feature's sums, from the figures that a samples.json has of it.
#pragma once

#include "plugin/collect/feature_statistics.h"
#include "plugin/store/samples_json.h"

namespace saetap {

// Sums whose mean and standard deviation are those of the file to the last bit, if any sums have them; how many values
// were negative or not finite the file does not say: 0. Throws std::invalid_argument for what no sums can be.
[[nodiscard]] FeatureStatistics statistics_of(const JsonFeature& feature);

}  // namespace saetap

// What is kept of one feature in one part, outside of the tables that keep it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "plugin/collect/context_pool.h"
#include "plugin/collect/feature_statistics.h"
#include "plugin/collect/sample.h"
#include "plugin/collect/sequence_pool.h"
#include "plugin/collect/token_counts.h"
#include "plugin/collect/windows.h"
#include "plugin/scan/activation_histogram.h"

namespace saetap {

// The contexts of its samples are in a pool beside it.
struct FeatureRows {
  FeatureStatistics statistics;
  ActivationHistogram histogram;
  std::vector<Sample> samples;         // strongest first
  std::vector<std::uint64_t> groups;   // of each; empty without a limit for those that are alike
  std::vector<Sample> random_samples;  // in the order of their hashes
};

// The open window of a run that goes on.
struct KeptWindow {
  Window window;
  std::uint64_t first_step = 0;
  std::uint64_t last_step = 0;
  std::uint64_t eligible = 0;
  TokenCounts tokens;
  std::vector<std::uint8_t> ever_active;                                    // [features], in any window
  std::function<FeatureRows(std::uint32_t feature, ContextPool&)> feature;  // contexts are put into the pool
  // Tokens of a segment and the length of its sequence; nothing if they are not known.
  struct Text {
    std::uint32_t length = 0;
    std::vector<std::int32_t> tokens;
  };
  std::function<std::optional<Text>(const SegmentKey&)> text;
};

}  // namespace saetap

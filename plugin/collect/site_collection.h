// What is kept of one site, as long as it is in memory.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "plugin/collect/callback.h"
#include "plugin/collect/feature_statistics.h"
#include "plugin/collect/feature_table.h"
#include "plugin/collect/place_filter.h"
#include "plugin/collect/random_table.h"
#include "plugin/collect/sample_group.h"
#include "plugin/collect/token_counts.h"
#include "plugin/collect/windows.h"
#include "plugin/scan/activation_histogram.h"

namespace saetap {

struct CollectorOptions {
  std::uint32_t max_samples_per_feature = 100;  // k; 0: no strongest ones are kept
  std::uint32_t sample_context_size = 20;       // tokens kept on each side
  float sample_activation_threshold = 0.1f;     // lowest activation that is a sample
  WindowRule window_rule;
  std::uint32_t random_samples_per_feature = 64;
  SampleLimit limit;
  std::size_t most_bytes = 0;  // of memory for all that is kept; 0: no bound

  // What an activation has to reach to be offered at all.
  [[nodiscard]] float lowest_bar() const {
    return max_samples_per_feature == 0 ? std::numeric_limits<float>::infinity() : sample_activation_threshold;
  }
};

// A run is kept in three parts that do not overlap in time. What people read by default is closed + open; all-time is
// the three together. In memory past and closed wait for a save: see SampleCollector.
enum class PartKind : std::uint8_t { past, closed, open };
inline constexpr int kPartKinds = 3;

// What was kept of one site over one span of steps.
struct Part {
  Part(const Site& site, const Window& window, const CollectorOptions& options);

  void mark_saved();
  [[nodiscard]] std::size_t bytes() const;
  // Strongest and random ones of every feature.
  void each_sample(const std::function<void(const Sample&)>& see) const;

  Window window;  // the newest of those that this is made of
  std::uint64_t first_step = 0;
  std::uint64_t last_step = 0;  // of the steps collected
  std::uint64_t eligible = 0;   // rows counted: the density's denominator
  TokenCounts tokens;           // of those, where it is known which token they are of
  FeatureTable samples;
  RandomTable random_samples;
  std::vector<FeatureStatistics> statistics;    // [features]
  std::vector<ActivationHistogram> histograms;  // [features], of magnitudes
  std::vector<std::uint8_t> counted;            // [features]: statistics or histogram changed since mark_saved()
  bool saved = false;                           // the store has it as it was at mark_saved()
};

// A window that is over and was folded into the past: its statistics and top ten, waiting to be saved.
struct HistoryEntry {
  Window window;
  std::uint64_t eligible = 0;
  bool samples_forgotten = false;  // for want of memory
  struct Feature {
    std::uint32_t feature = 0;
    FeatureStatistics statistics;
    std::vector<Sample> top;            // at most kHistorySamples, strongest first
    std::vector<std::uint64_t> groups;  // of each; empty without a limit for those that are alike
  };
  std::vector<Feature> features;  // those that were active

  [[nodiscard]] std::size_t bytes() const {
    std::size_t samples = 0;
    std::size_t groups = 0;
    for (const Feature& feature : features) {
      samples += feature.top.capacity();
      groups += feature.groups.capacity();
    }
    return features.capacity() * sizeof(Feature) + samples * sizeof(Sample) + groups * sizeof(std::uint64_t);
  }
};
inline constexpr std::size_t kHistorySamples = 10;

struct SiteCollection {
  SiteCollection(const Site& site, const CollectorOptions& options);

  const Site* site;
  // [features]: what is asked for where the batch opens a window
  std::vector<float> threshold_bars;
  std::vector<std::uint32_t> all_hashes;
  std::array<std::unique_ptr<Part>, kPartKinds> parts;  // by PartKind; past and closed are mostly null
  std::vector<HistoryEntry> unsaved_history;
  PlaceFilter places;                     // met in the open window
  std::vector<std::uint8_t> ever_active;  // [features], in all that was collected

  [[nodiscard]] std::unique_ptr<Part>& part(PartKind kind) { return parts[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] const Part* part(PartKind kind) const { return parts[static_cast<std::size_t>(kind)].get(); }
  [[nodiscard]] Part& open() { return *part(PartKind::open); }

  // Of windows that are over: what leaves memory with the next save.
  void each_leaving_sample(const std::function<void(const Sample&)>& see) const;
};

}  // namespace saetap

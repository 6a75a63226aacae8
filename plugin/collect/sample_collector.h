// Keeps the strongest samples and the statistics of every feature, window by window; a Callback like any other.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "plugin/collect/callback.h"
#include "plugin/collect/context_pool.h"
#include "plugin/collect/feature_statistics.h"
#include "plugin/collect/feature_table.h"
#include "plugin/collect/place_filter.h"
#include "plugin/collect/random_table.h"
#include "plugin/collect/sequence_pool.h"
#include "plugin/collect/windows.h"
#include "plugin/scan/activation_histogram.h"

namespace saetap {

struct CollectorOptions {
  std::uint32_t max_samples_per_feature = 100;  // k
  std::uint32_t sample_context_size = 20;       // tokens kept on each side
  float sample_activation_threshold = 0.1f;     // lowest activation that is a sample
  WindowRule window_rule;
  std::uint32_t random_samples_per_feature = 64;
};

// A run is kept in three parts that do not overlap in time. What people read by default is closed + open; all-time is
// the three together.
enum class PartKind : std::uint8_t { past, closed, open };
inline constexpr int kPartKinds = 3;

// What was kept of one site over one span of steps.
struct Part {
  Part(const Site& site, const CollectorOptions& options);

  std::uint64_t first_step = 0;
  std::uint64_t last_step = 0;  // of the steps collected
  std::uint64_t eligible = 0;   // rows counted: the density's denominator
  FeatureTable samples;
  RandomTable random_samples;
  std::vector<FeatureStatistics> statistics;    // [features]
  std::vector<ActivationHistogram> histograms;  // [features], of magnitudes
};

// A window that is over and was folded into the past: its statistics and top ten, waiting to be saved.
struct HistoryEntry {
  Window window;
  std::uint64_t eligible = 0;
  struct Feature {
    std::uint32_t feature = 0;
    FeatureStatistics statistics;
    std::vector<Sample> top;  // at most kHistorySamples, strongest first
  };
  std::vector<Feature> features;  // those that were active
};
inline constexpr std::size_t kHistorySamples = 10;

struct SiteCollection {
  SiteCollection(const Site& site, const CollectorOptions& options);

  const Site* site;
  Window window;         // the open one
  Window closed_window;  // of PartKind::closed, if there is one
  // [features]: what is asked for where the batch opens a window
  std::vector<float> threshold_bars;
  std::vector<std::uint32_t> all_hashes;
  std::array<std::unique_ptr<Part>, kPartKinds> parts;  // by PartKind; past and closed are null until there is one
  std::vector<HistoryEntry> unsaved_history;
  PlaceFilter places;  // met in the open window

  [[nodiscard]] std::unique_ptr<Part>& part(PartKind kind) { return parts[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] const Part* part(PartKind kind) const { return parts[static_cast<std::size_t>(kind)].get(); }
};

class SampleCollector : public Callback {
 public:
  // Called at each checkpoint with the collector and the event; returns false if nothing could be saved (the collector
  // then keeps what is unsaved). Wired by the session, so that this stage knows no file format.
  using Save = std::function<bool(const SampleCollector&, const CheckpointEvent&)>;

  SampleCollector(CollectorOptions options, Save save);

  void on_attach(const Site& site) override;
  [[nodiscard]] CandidateBars bars(const Site& site, std::uint64_t step) override;
  [[nodiscard]] std::uint32_t context_size() const override { return options_.sample_context_size; }
  void on_batch(const Batch& batch) override;
  void on_checkpoint(const CheckpointEvent& event) override;

  // Whether a closed window waits for a save, to leave memory.
  [[nodiscard]] bool wants_save() const { return false; }

  // Forgets all samples and statistics; sites stay attached.
  void clear();

  [[nodiscard]] const CollectorOptions& options() const { return options_; }
  [[nodiscard]] const std::map<int, SiteCollection>& sites() const { return sites_; }
  [[nodiscard]] const SequencePool& sequences() const { return sequences_; }
  [[nodiscard]] const ContextPool& contexts() const { return contexts_; }

 private:
  // Closes the open window if `step` lies in a later one.
  void advance(SiteCollection& collection, std::uint64_t step);
  void push_history(SiteCollection& collection);
  void fold_closed(SiteCollection& collection);
  void release_history();
  void offer_candidates(Part& part, const Batch& batch);
  void offer_strong(Part& part, const Candidate& candidate, Sample sample, std::span<const ContextActivation> around,
                    bool known);
  void offer_random(Part& part, const Candidate& candidate, Sample sample, std::span<const ContextActivation> around,
                    bool known);
  [[nodiscard]] std::uint32_t keep_context(std::span<const ContextActivation> activations);
  // A sample of another part; what it needs goes with it.
  void move_in(Part& part, std::uint32_t feature, const Sample& sample);
  void move_in_random(Part& part, std::uint32_t feature, const Sample& sample);
  // The same sample once more, with all it needs.
  [[nodiscard]] Sample twin(const Sample& sample);
  // A sample is gone, and with it what it alone needed.
  void release(const Sample& sample);

  CollectorOptions options_;
  Save save_;
  std::map<int, SiteCollection> sites_;  // by Site::id
  SequencePool sequences_;
  ContextPool contexts_;

  // Of the batch being handled; kept for their memory.
  std::vector<std::uint8_t> repeated_;   // [rows]: the place may have been met before in this window
  std::vector<std::uint32_t> new_pins_;  // [rows]: samples of the row that entered
  std::vector<Sample> dropped_;
};

}  // namespace saetap

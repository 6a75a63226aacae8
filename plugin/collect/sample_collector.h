// Keeps the strongest samples and the statistics of every feature, window by window; a Callback like any other.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "plugin/collect/callback.h"
#include "plugin/collect/context_pool.h"
#include "plugin/collect/feature_rows.h"
#include "plugin/collect/sequence_pool.h"
#include "plugin/collect/site_collection.h"

namespace saetap {

// A window that closes waits in memory for the next save, and leaves memory with it: from then on only the store has
// it. Where saves fail, closed windows are folded into one past, so that memory stays within three tables.
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

  // Goes on with a window of an attached site that has collected nothing yet. What is kept is in the store.
  void go_on(const Site& site, const KeptWindow& kept);

  // Forgets an attached site's open window again.
  void forget(const Site& site);

  // Whether a closed window waits for a save, to leave memory.
  [[nodiscard]] bool wants_save() const;

  // Forgets all samples and statistics that are in memory; sites stay attached.
  void clear();

  // As asked for, but with the k in force: less than `asked` once `most_bytes` was reached.
  [[nodiscard]] const CollectorOptions& options() const { return options_; }
  [[nodiscard]] const CollectorOptions& asked() const { return asked_; }
  [[nodiscard]] const std::map<int, SiteCollection>& sites() const { return sites_; }
  [[nodiscard]] const SequencePool& sequences() const { return sequences_; }
  [[nodiscard]] const ContextPool& contexts() const { return contexts_; }
  // Memory of all that is kept.
  [[nodiscard]] std::size_t bytes() const;

 private:
  // Closes the open window if `step` lies in a later one.
  void advance(SiteCollection& collection, std::uint64_t step);
  void take_back(SiteCollection& collection, const Sample& sample, const KeptWindow& kept);
  void push_history(SiteCollection& collection);
  void fold_closed(SiteCollection& collection);
  // What the store has now leaves memory.
  void release_saved();
  void offer_candidates(Part& part, const Batch& batch);
  void offer_strong(Part& part, const Batch& batch, const Candidate& candidate, Sample sample,
                    std::span<const ContextActivation> around, bool known);
  void offer_random(Part& part, const Candidate& candidate, Sample sample, std::span<const ContextActivation> around,
                    bool known);
  // Of two equal samples; whether the context of the one kept is to be replaced.
  [[nodiscard]] bool takes_context(const Sample& sample, const Sample& kept);
  [[nodiscard]] std::uint64_t group_of_row(const Batch& batch, std::uint32_t row);
  [[nodiscard]] std::uint32_t keep_context(std::span<const ContextActivation> activations);
  // A smaller k for all features alike, as long as memory is above its bound.
  void stay_within_memory();
  // Whether there was something to forget.
  bool forget_history_samples();
  void shrink_parts();
  // A sample of another part; what it needs goes with it.
  void move_in(Part& part, std::uint32_t feature, const Sample& sample, std::uint64_t group);
  void move_in_random(Part& part, std::uint32_t feature, const Sample& sample);
  // The same sample once more, with all it needs.
  [[nodiscard]] Sample twin(const Sample& sample);
  // A sample is gone, and with it what it alone needed.
  void release(const Sample& sample);

  CollectorOptions options_;
  const CollectorOptions asked_;
  Save save_;
  std::map<int, SiteCollection> sites_;  // by Site::id
  SequencePool sequences_;
  ContextPool contexts_;
  std::uint32_t batches_since_look_ = 0;  // at memory
  bool said_no_fit_ = false;              // that the bound holds nothing

  // Of the batch being handled; kept for their memory.
  std::vector<std::uint8_t> repeated_;   // [rows]: the place may have been met before in this window
  std::vector<std::uint32_t> new_pins_;  // [rows]: samples of the row that entered
  std::vector<std::uint64_t> groups_;    // [rows]: see sample_group(); 0 where nobody asked
  std::vector<Sample> dropped_;
};

}  // namespace saetap

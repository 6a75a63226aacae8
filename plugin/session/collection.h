// Everything behind the queue: the callbacks, the sample collector and its store, on a thread of their own.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "integrations/tokenizers/tokenizer.h"
#include "plugin/collect/bar_board.h"
#include "plugin/collect/callback_set.h"
#include "plugin/collect/collected_batch.h"
#include "plugin/collect/collector_thread.h"
#include "plugin/collect/sample_collector.h"
#include "plugin/config.h"
#include "plugin/session/checkpoint_request.h"
#include "plugin/session/resumption.h"
#include "plugin/store/store_writer.h"

namespace saetap {

// What the session knows at the moment of a checkpoint, by Site::id.
struct SessionSnapshot {
  std::map<int, SiteCounts> counts;
  std::map<int, TraceReport> tracing;
  std::map<int, HalfMatrix> decoder_directions;
  TokenText token_text;  // the program's own; empty: none
};

// Called by the session, which holds its lock; whatever is behind the queue runs on the collector's thread alone.
class Collection {
 public:
  Collection(const Config& config, const std::string& program, std::shared_ptr<const Tokenizer> tokenizer);

  // A callback beside the sample collector; before the first site.
  void add_callback(std::string name, std::shared_ptr<Callback> callback);
  // Gives a site its id, and another name where another SAE of an earlier run has it. Called once for every site.
  // `decoder`: see Resumption::find.
  void identify(Site& site, const std::function<std::vector<float>()>& decoder);
  // Tells the callbacks of a site and waits for what they want of it. `site` must stay where it is.
  [[nodiscard]] std::shared_ptr<BarBoard> attach(const Site& site);
  // The counts to go on with, if the store is resumed and has the site: after attach().
  [[nodiscard]] std::optional<SiteCounts> counts_before(const Site& site) const;
  // Whether the next call of a site is to be collected. Waits while the collector is behind, but not for one that
  // stands still (a disk that does not answer): then training goes on without it.
  [[nodiscard]] bool takes_batch();
  // Calls for which that said no.
  [[nodiscard]] std::uint64_t passed_over() const { return passed_over_; }
  // An empty batch to fill.
  [[nodiscard]] std::unique_ptr<CollectedBatch> new_batch() { return pool_.take(); }
  // After takes_batch().
  void batch(std::unique_ptr<CollectedBatch> batch, std::shared_ptr<BarBoard> board);
  void step(const StepEvent& event);

  // Saves what was posted before. Returns at once; saving() tells when it is done.
  void checkpoint(SessionSnapshot snapshot, bool last);
  [[nodiscard]] bool saving() const { return saves_posted_.load() != saves_done_.load(); }
  // Whether a window has closed since this was last asked, so that a checkpoint would free memory.
  [[nodiscard]] bool window_closed() const { return window_closed_; }
  // Whether somebody asks for a checkpoint.
  [[nodiscard]] bool save_requested() const { return save_requested_; }
  // Waits until all that was posted is done. False from a callback.
  bool drain() { return thread_.drain(); }
  // Has somebody look at what is kept, on the collector's thread (from a callback: here), behind all that was posted.
  // Does not wait for it: what it writes to must live as long.
  void look(std::function<void(const SampleCollector&)> look);
  // Waits for what was posted before; no lock is needed. False if the collector's thread stands still.
  [[nodiscard]] bool drain_unless_it_stands_still();
  // The last event of the callbacks, behind all that was posted. False if that was not done by `until`: what waits is
  // given up then, and this must stay, for the thread may be in the middle of something.
  bool finish(std::chrono::steady_clock::time_point until);

  // What to say of sites that a resumed store has and this run had not: after finish().
  [[nodiscard]] std::vector<std::string> left_alone() const { return resumption_.left_alone(); }
  // Whether a run that met no site is to save all the same: it is one of several ranks, the others wait for its store,
  // and what is in the store's place, if anything is, is not lost by it.
  [[nodiscard]] bool takes_the_place();
  // Merges all ranks' stores if this is the last one to end. After finish(), and as that.
  bool merge_ranks(std::chrono::steady_clock::time_point until);

  // Whether this is called from a callback.
  [[nodiscard]] bool is_current() const { return thread_.is_current(); }
  [[nodiscard]] QueueWaits waits() const { return thread_.waits(); }
  // Whether the latest save succeeded, the store's path, and the collector: after drain() only.
  [[nodiscard]] bool saved() const { return saved_; }
  [[nodiscard]] const std::string& store_path() const { return writer_.path(); }
  [[nodiscard]] const SampleCollector& collector() const { return *collector_; }

 private:
  [[nodiscard]] bool is_rank() const { return header_.rank.ranks > 1; }
  void clear_the_place();
  void add_library(const LibraryOptions& library);
  [[nodiscard]] std::string events_path() const;
  void stand_still();
  bool drain_until(std::chrono::steady_clock::time_point until);
  void merge(std::chrono::steady_clock::time_point until);
  void publish(const Site& site, std::uint64_t step, BarBoard& board);
  // Beside the store.
  void save_json(const std::string& store_path);
  bool save_files(const SampleCollector& collector, const CheckpointEvent& event);
  void save_store(const SampleCollector& collector, const CheckpointEvent& event);

  const Config config_;
  const std::shared_ptr<const Tokenizer> tokenizer_;  // null: none
  const RunHeader header_;
  const std::string folder_;
  StoreWriter writer_;
  Resumption resumption_;
  CheckpointRequest request_;
  int next_site_id_ = 0;
  CallbackSet callbacks_;
  std::shared_ptr<SampleCollector> collector_;
  bool saved_ = false;         // by the latest save
  bool saved_before_ = false;  // at least once
  std::string said_aside_;     // where a store that was in the way went
  // Why the latest checkpoint, or its JSON, failed; said when it begins and when the reason changes.
  std::string said_unsaved_;
  std::string said_no_json_;
  std::string said_path_;  // where the store is
  bool waits_for_save_ = false;
  bool stands_still_ = false;
  std::uint64_t passed_over_ = 0;

  std::atomic<std::uint64_t> saves_posted_ = 0;
  std::atomic<std::uint64_t> saves_done_ = 0;
  std::atomic<bool> window_closed_ = false;
  std::atomic<bool> save_requested_ = false;
  BatchPool pool_;
  CollectorThread thread_;  // last: its tasks use all of the above
};

}  // namespace saetap

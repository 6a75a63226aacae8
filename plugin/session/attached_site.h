// One site at work: from a tapped call to the callbacks. A stack [L, N, F] is L sites.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plugin/collect/bar_board.h"
#include "plugin/config.h"
#include "plugin/session/collection.h"
#include "plugin/session/device_queue.h"
#include "plugin/session/device_scan.h"
#include "plugin/session/tapped_call.h"
#include "plugin/trace/provenance.h"

namespace saetap {

// Everything a site needs of the session while it handles a call.
struct SiteContext {
  const Config& config;
  Provenance& provenance;
  Collection& collection;
  DeviceQueue& device_queue;
  SequenceId unresolved;  // names this run: see Provenance::resolve
  bool steps_told;        // by the program; else each call with gradients is a step
};

// Scans on LibTorch's threads, each with a range of the features.
void scan_on_all_cores(const Activations& activations, std::int64_t features, const ScanRequest& request,
                       CollectedBatch& batch);

// Not thread-safe: the session holds its lock.
class AttachedSite {
 public:
  AttachedSite(Site site, const c10::IValue& owner);

  // The site of an earlier run, whose counts go on; before the first call.
  void go_on_from(const SiteCounts& counts) { counts_ = counts; }
  // What the callbacks want; before the first call.
  void listen(std::shared_ptr<BarBoard> board) { board_ = std::move(board); }

  // Counts one call of so many rows, and returns whether a step begins with it. By itself for calls after the site was
  // switched off: the share seen has to stay true.
  bool count(std::int64_t rows, bool grad_enabled, bool steps_told);
  // Where the program tells steps: one is over.
  void end_step(SiteContext& context);
  // Whether this call, if it came now, would be looked at and not only counted.
  [[nodiscard]] bool is_due(const hooks::FeatureEvent& event, const Config& config, bool steps_told) const;
  // Handles one tapped call. Throws what must switch the site off.
  void handle(const FeatureTap& tap, const hooks::FeatureEvent& event, const CallShape& shape, SiteContext& context);

  // Its calls are counted, and nothing else: they cannot be read. Other instances of the module go on.
  void switch_off() { off_ = true; }
  [[nodiscard]] bool off() const { return off_; }

  [[nodiscard]] const Site& site() const { return site_; }
  [[nodiscard]] const SiteCounts& counts() const { return counts_; }
  [[nodiscard]] bool belongs_to(const c10::IValue& owner) const;
  // The object that owned the decoder is gone.
  [[nodiscard]] bool orphaned() const { return !owner_ || owner_->expired(); }
  // Whether `tap` in `owner` is this site's module come back: the same shape, and decoder directions that are still
  // akin (a checkpoint loaded again, a clone in place of the original), not another SAE of the same class.
  [[nodiscard]] bool continues_in(const FeatureTap& tap, const c10::IValue& owner);
  // Rows of the decoder in `owner` as compared_rows() has them; empty if they cannot be read.
  [[nodiscard]] static std::vector<float> compared_decoder(const Site& site, const FeatureTap& tap,
                                                           const c10::IValue& owner);
  void adopt(const c10::IValue& owner);
  // Decoder directions as of now, or as of when the module went. Empty if they cannot be read.
  [[nodiscard]] HalfMatrix decoder_directions();
  // Lets go of the decoder's memory if its module is gone, keeping the directions.
  void release_decoder_of_dead_owner();
  // The same whatever became of the module; until its next call.
  void release_decoder();

 private:
  void collect_call(const FeatureTap& tap, const hooks::FeatureEvent& event, const CallShape& shape, std::uint64_t step,
                    SiteContext& context);
  void note_collected_step();
  // A step is over, once the calls before are handled.
  void tell_step(std::uint64_t step, bool collected, SiteContext& context) const;
  void scale(const FeatureTap& tap, TappedCall& call) const;
  void collect(const TappedCall& call, std::uint64_t step, Phase phase, SiteContext& context);
  // A call that is scanned where its features lie, and handled when the device got so far.
  struct DeviceCall;
  void collect_on_device(const TappedCall& call, std::uint64_t step, Phase phase, SiteContext& context);
  void scan_on_device(DeviceCall& call, const SiteContext& context);
  void finish_on_device(DeviceCall& call, const SiteContext& context);

  [[nodiscard]] Resolution trace(const TappedCall& call, const SiteContext& context);
  // Takes the tokens out of `traced`; nobody else needs them.
  [[nodiscard]] std::unique_ptr<CollectedBatch> new_batch(std::uint64_t step, Phase phase, std::int64_t rows,
                                                          Resolution& traced, const SiteContext& context) const;
  void hash_rows(const Resolution& traced);
  void scan(const Activations& activations, const Resolution& traced, CollectedBatch& batch);
  void scan_around(const Activations& activations, const TokenSource& tokens, std::uint32_t context_size,
                   CollectedBatch& batch) const;

  Site site_;
  SiteCounts counts_;
  bool in_step_ = false;         // it has begun, and the program will tell its end
  bool step_collected_ = false;  // of the latest step: at least one call
  bool off_ = false;
  // Given up once the object is dead: what is left of it still holds its compilation unit, and with it frozen weights.
  std::optional<c10::weak_intrusive_ptr<c10::ivalue::Object>> owner_;
  at::Tensor decoder_;  // shared with the module: read at checkpoints
  hooks::WeightLayout decoder_layout_;
  HalfMatrix released_directions_;
  std::shared_ptr<BarBoard> board_;
  BarBoard::Bars bars_;                    // for the batch in hand
  std::vector<std::uint32_t> row_hashes_;  // of its rows' places; empty: not wanted
  std::int64_t entry_room_ = 0;            // of a device call
  std::int64_t candidate_room_ = 0;
};

}  // namespace saetap

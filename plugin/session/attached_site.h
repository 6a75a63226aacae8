// One site at work: from a tapped call to the callbacks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hooks/tap.h"
#include "plugin/collect/callback_set.h"
#include "plugin/config.h"
#include "plugin/trace/provenance.h"

namespace saetap {

// What the analysis of a graph said of a feature tap; outlives the graph, and so keeps nothing of it alive.
struct FeatureTap {
  using WeakTensor = c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>;

  Site site;                                   // id and ordinal are not settled yet
  std::string decoder_attribute;               // in the owner; empty for a constant of a frozen graph
  std::optional<WeakTensor> decoder_constant;  // of a frozen graph
  bool decoder_transposed = false;
  bool failed = false;  // switched off after an error
};

// The decoder's weight as it is now; undefined if it cannot be had. Valid while the tapped call runs.
[[nodiscard]] at::Tensor decoder_weight(const FeatureTap& tap, const c10::IValue& owner);

// Everything a site needs of the session while it handles a call.
struct SiteContext {
  const Config& config;
  Provenance& provenance;
  CallbackSet& callbacks;
  SequenceId unresolved;  // names this run: see Provenance::resolve
};

// Not thread-safe: the session holds its lock.
class AttachedSite {
 public:
  AttachedSite(Site site, const c10::IValue& owner);

  // Counts one call. By itself for calls after the site was switched off: the share seen has to stay true.
  void count(const hooks::FeatureEvent& event);
  // Handles one tapped call. Throws what must switch the site off.
  void handle(const FeatureTap& tap, const hooks::FeatureEvent& event, SiteContext& context);

  [[nodiscard]] const Site& site() const { return site_; }
  [[nodiscard]] const SiteCounts& counts() const { return counts_; }
  [[nodiscard]] bool belongs_to(const c10::IValue& owner) const;
  // The object that owned the decoder is gone.
  [[nodiscard]] bool orphaned() const { return !owner_ || owner_->expired(); }
  // Whether `tap` in `owner` is this site's module come back: the same shape, and decoder directions that are still
  // akin (a checkpoint loaded again, a clone in place of the original), not another SAE of the same class.
  [[nodiscard]] bool continues_in(const FeatureTap& tap, const c10::IValue& owner);
  void adopt(const c10::IValue& owner);
  // Decoder directions as of now, or as of when the module went. Empty if they cannot be read.
  [[nodiscard]] HalfMatrix decoder_directions();
  // Lets go of the decoder's memory if its module is gone, keeping the directions.
  void release_decoder_of_dead_owner();

 private:
  // One tapped call as plain memory: float32 [rows, F] and the fingerprints of its input rows.
  struct Call {
    at::Tensor features;
    std::vector<std::uint64_t> fingerprints;
    std::size_t row_bytes = 0;
  };
  Call read(const FeatureTap& tap, const hooks::FeatureEvent& event) const;
  void collect(const Call& call, std::uint64_t step, Phase phase, SiteContext& context);
  void scan(const Call& call, const std::vector<std::uint8_t>& eligible, std::span<const float> bars);

  Site site_;
  SiteCounts counts_;
  // Given up once the object is dead: what is left of it still holds its compilation unit, and with it frozen weights.
  std::optional<c10::weak_intrusive_ptr<c10::ivalue::Object>> owner_;
  at::Tensor decoder_;  // shared with the module: read at checkpoints
  bool decoder_transposed_ = false;
  HalfMatrix released_directions_;
  std::vector<FeatureSums> sums_;                   // [F], of the batch in hand
  std::vector<std::vector<Candidate>> candidates_;  // one per range of features
};

}  // namespace saetap

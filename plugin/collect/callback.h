// The callback interface: the public extension point. The sample collector itself is one of these and nothing more.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hooks/phase.h"
#include "plugin/scan/batch_scan.h"
#include "plugin/scan/context_scan.h"
#include "plugin/trace/provenance.h"
#include "plugin/trace/token_position.h"

namespace saetap {

// A place where feature activations enter a decoder. Stays valid, at the same address, until on_finish has returned.
struct Site {
  int id = 0;                 // dense, from 0, in the order of attaching
  std::string name;           // the identity across runs: type, path, method, number of features, group, ordinal
  std::string module_type;    // unmangled TorchScript type of the module that was called
  std::string path;           // of the SAE inside that module, "saes.1"; empty: the module itself
  std::int64_t group = -1;    // which layer or instance of a stack [L, N, F]; -1: no stack
  std::string method;         // the method the decoder product stands in
  std::string description;    // what was found and why, one line for people
  std::int64_t features = 0;  // F
  std::int64_t d_in = 0;      // width of a row of the SAE's input
  std::int64_t d_out = 0;     // width of the decoder's output
};

// How much of what a site saw was collected, and how well its rows were traced. All counts are rows since the start.
struct SiteCounts {
  std::uint64_t steps = 0;            // steps of the site so far
  std::uint64_t steps_collected = 0;  // of these, collected (sample_collection_freq)
  std::uint64_t rows_seen = 0;        // rows that passed the site, collected or not
  std::uint64_t rows_collected = 0;   // rows of collected calls
  std::uint64_t rows_excluded = 0;    // of the collected: ignored ids and positions
  std::uint64_t rows_resolved = 0;    // of the collected: brought back to their token (excluded ones included)
  std::uint64_t calls = 0;            // calls of the site, any phase
  std::uint64_t rows_ambiguous = 0;   // of the collected: several tokens could be it, and none was taken
};

// One call of a site. All views are valid during on_batch only.
struct Batch {
  const Site& site;
  std::uint64_t step = 0;
  Phase phase = Phase::train;
  std::int64_t rows = 0;                     // rows of the call
  std::int64_t eligible = 0;                 // rows that count; the density's denominator
  std::span<const TokenPosition> positions;  // one per row
  std::span<const FeatureSums> sums;         // one per feature
  // Candidates and histogram, of disjoint ranges of features; one candidate per row and feature at most.
  std::span<const RangeScan> found;
  const TokenSource& tokens;
  // What is known of the activations around the candidates, parallel to `found`, as far to each side as any
  // callback asked for; empty if nothing is known.
  std::span<const CandidateContexts> contexts = {};
  // One per row: the id of its token. kNoToken where that is not known, or where the row does not count; empty if of
  // none it is known.
  std::span<const std::int32_t> row_tokens = {};
};

// After a site's step (collected or not) is complete, and before the bars for the next one are asked.
struct StepEvent {
  const Site& site;
  std::uint64_t step = 0;
  bool collected = false;
};

// Which activations a callback wants as candidates. It is given more than that, and must never want more than it did
// when the site was attached.
struct CandidateBars {
  std::span<const float> activation;    // [features]: those of at least this magnitude; empty: none for that
  std::span<const std::uint32_t> hash;  // [features]: those at a place whose hash has upper 32 bits no greater than
                                        // this; empty: none for that
  // Good for steps before this one. Later ones want what was asked for when the site was attached.
  std::uint64_t end_step = std::numeric_limits<std::uint64_t>::max();
};

// Decoder directions in half precision (IEEE binary16 bits), [features, d_out] row-major; empty when not known.
using HalfMatrix = std::vector<std::uint16_t>;

// The bytes of a token's text; nothing where it is not known.
using TokenText = std::function<std::optional<std::string>(std::int32_t)>;

// Asks for everything worth keeping to be written down.
struct CheckpointEvent {
  bool last = false;                                          // the run is over
  std::function<SiteCounts(const Site&)> counts;              // as of now
  std::function<HalfMatrix(const Site&)> decoder_directions;  // as of the latest call; empty if not known
  std::function<TraceReport(const Site&)> tracing;            // where its rows' tokens come from
  TokenText token_text;                                       // of the callback that knows it
};

// Calls come one at a time, in the order of what they tell of, on the collector's own thread, while the trainer goes
// on. A callback that throws is switched off with one log line (it is still asked to save what it kept) and the others
// go on. A callback must not call the hooked module, nor register a hook.
class Callback {
 public:
  virtual ~Callback() = default;

  // A site was found; comes before any other event of this site.
  virtual void on_attach(const Site&) {}
  // The lowest bars that a batch of this step needs. Asked after on_attach and after each on_batch, with the step of
  // the batch; the views are read at once. A batch may still bring candidates for bars that were asked for earlier.
  [[nodiscard]] virtual CandidateBars bars(const Site&, [[maybe_unused]] std::uint64_t step) { return {}; }
  // How many tokens to each side of a candidate it wants the activations of.
  [[nodiscard]] virtual std::uint32_t context_size() const { return 0; }
  virtual void on_batch(const Batch&) {}
  virtual void on_step(const StepEvent&) {}
  virtual void on_checkpoint(const CheckpointEvent&) {}
  // The text of a token, for programs with a tokenizer of their own: what is saved is then read with it. The bytes need
  // not be whole characters. Asked at checkpoints, once for each token of the text that is saved and until it is known.
  [[nodiscard]] virtual std::optional<std::string> token_text([[maybe_unused]] std::int32_t id) { return {}; }
  // The last event; a final on_checkpoint came before it.
  virtual void on_finish() {}
};

}  // namespace saetap

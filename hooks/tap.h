// The taps: operators that read values inside somebody's graph and hand them on.
//
// A tap never throws into the trainer, never changes a value, and runs without gradients, autocast and record
// functions. Its schema reads its tensors and claims to write only a ledger, a value of a type that nothing else uses:
// so dead-code elimination keeps it, and no other operation is ordered by it. (A claim to write the module keeps its
// GetAttr nodes from being merged, and with that changed the last bit of gradients. CONSERVATIVE alias analysis counts
// as writing the input. The default one drops the operator.)
#pragma once

#include "hooks/feature_site.h"
#include "hooks/libtorch.h"
#include "hooks/phase.h"

namespace saetap::hooks {

// One execution of a feature tap. References are valid during the call only.
struct FeatureEvent {
  int tap = 0;                // as given to insert_feature_tap
  const at::Tensor& values;   // what the decoder consumes, dense or COO; of pairs, their values
  const at::Tensor& indices;  // of pairs: which features; undefined otherwise
  const at::Tensor& rows;     // what was given to the encoder; undefined where it is not at hand
  const c10::IValue& owner;   // the object that holds the decoder (of a frozen module: the module); may be no object
  bool grad_enabled = false;  // of the caller
  Phase phase = Phase::eval;
};

// One execution of a tap that reads tokens and what was computed from them. References are valid during the call only.
struct StreamEvent {
  int tap = 0;
  const at::Tensor& tokens;     // the model's integer input
  const at::Tensor& mask;       // its attention mask; undefined: none was given
  const c10::IValue& returned;  // all it returns, or the rows given to an encoder inside it
};

// Who receives the taps. Called on the thread that runs the module, possibly on several at once; must not throw.
class TapSink {
 public:
  virtual ~TapSink() = default;
  virtual void on_features(const FeatureEvent& event) noexcept = 0;
  virtual void on_stream(const StreamEvent& event) noexcept = 0;
};

// What a tap must not disturb, or be disturbed by: gradients, autocast, our own observer, and taps within taps. For
// this thread, while it lives.
class QuietCall {
 public:
  QuietCall();
  ~QuietCall();
  QuietCall(const QuietCall&) = delete;
  QuietCall& operator=(const QuietCall&) = delete;

 private:
  const bool within_;  // another one
  at::NoGradGuard no_grad_;
  at::DisableRecordFunctionGuard no_record_function_;
  c10::impl::ExcludeDispatchKeyGuard no_autocast_;
};

// Makes the operators known to LibTorch, once. Throws if another copy of this library did so before: which of the two
// would run could not be told.
void register_taps();

// Sets the receiver for the whole process; null: taps do nothing. The sink must outlive every call in flight. A module
// that is called while the sink handles a tap is not tapped on that thread.
void set_tap_sink(TapSink* sink);

// Puts a tap at every point of the site. `site` must have been found in the graph that is changed.
void insert_feature_tap(const FeatureSite& site, int tap);
// The graph inputs that say what a language model reads.
struct TokenInputs {
  torch::jit::Value* tokens = nullptr;  // integers [batch, length]
  torch::jit::Value* mask = nullptr;    // which of them are attended to: a tensor or None; may be null
};

// Puts a tap at the end of the graph, reading the tokens and all that is returned.
void insert_stream_tap(torch::jit::Graph& graph, const TokenInputs& inputs, int tap);
// Puts taps before those of `site` that read the tokens and the rows given to its encoder, where those were made inside
// the graph that the tokens were given to.
void insert_rows_tap(const FeatureSite& site, const TokenInputs& inputs, int tap);

}  // namespace saetap::hooks

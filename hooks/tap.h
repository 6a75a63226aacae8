// The taps: operators that read values inside somebody's graph and hand them to the session.
//
// A tap never throws into the trainer, never changes a value, and runs without gradients, autocast and record
// functions. Its schema reads its tensors and claims to write only its owner: dead-code elimination keeps it, and
// autodiff stays as it was. (CONSERVATIVE alias analysis counts as writing the input and changes gradients; the default
// one drops the operator.)
#pragma once

#include "hooks/feature_site.h"
#include "hooks/libtorch.h"

namespace saetap::hooks {

// One execution of a feature tap. References are valid during the call only.
struct FeatureEvent {
  int tap = 0;                 // as given to insert_feature_tap
  const at::Tensor& features;  // what the decoder consumes
  const at::Tensor& rows;      // what was given to the encoder
  const c10::IValue& owner;    // the object that owns the decoder (of a frozen module: the module)
  bool grad_enabled = false;   // of the caller
};

// One execution of a language model's tap. References are valid during the call only.
struct StreamEvent {
  int tap = 0;
  const at::Tensor& tokens;     // the model's integer input
  const c10::IValue& returned;  // all it returns
};

// Who receives the taps. Called on the thread that runs the module, possibly on several at once; must not throw.
class TapSink {
 public:
  virtual ~TapSink() = default;
  virtual void on_features(const FeatureEvent& event) noexcept = 0;
  virtual void on_stream(const StreamEvent& event) noexcept = 0;
};

// Sets the receiver for the whole process; null: taps do nothing. The sink must outlive every call in flight, which is
// why the session is never destroyed.
void set_tap_sink(TapSink* sink);

// Puts a tap before the decoder. `graph`: the graph that `site` was found in.
void insert_feature_tap(torch::jit::Graph& graph, const FeatureSite& site, int tap);
// Puts a tap at the end of the graph, reading the graph input `tokens` and all that is returned.
void insert_stream_tap(torch::jit::Graph& graph, torch::jit::Value* tokens, int tap);

}  // namespace saetap::hooks

// The public C++ hook API: a function of yours, called with what enters the decoder of a TorchScript SAE or transcoder.
//
//   auto hook = saetap::register_forward_hook(sae, {}, [](const saetap::HookEvent& event) { … event.activations … });
//
// The module is not changed: what save(), clone() and freeze() see is as it was. Nothing else of saetap need be in use.
#pragma once

#include <torch/script.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hooks/phase.h"

#define SAETAP_HOOK_API __attribute__((visibility("default")))

namespace saetap {

struct HookOptions {
  std::string method = "forward";
  // Which site, as `saetap inspect` names it ("decoder.weight"); empty: each that is certain.
  std::string value;
};

// A place where feature activations enter a decoder.
struct HookSite {
  std::string value;          // its name within the method
  std::string decoder;        // path of the decoder's weight from the module
  std::string activation;     // "TopK", "ReLU", "JumpReLU"…
  bool pair = false;          // activations come as (value, feature) pairs
  std::int64_t features = 0;  // F
  std::int64_t d_in = 0;      // width of a row given to the encoder
  std::int64_t d_out = 0;
  std::int64_t groups = 1;  // layers or instances of a stack, each with F features of its own
};

// One pass through a site. Everything is valid during the call only; clone() what is to stay. Do not change it.
struct HookEvent {
  const HookSite& site;
  // What the decoder consumes, on its device and in its type: [.., F], for stacks as the module has them ([L, N, F]),
  // strided or sparse COO; of pairs the values, [.., k].
  const at::Tensor& activations;
  const at::Tensor& indices;  // of pairs: which feature each value is of, int64 [.., k]; undefined otherwise
  // The rows that the encoder was given, [.., d_in], before what was done to them on the way (centring, scaling, by the
  // module or by one around it); undefined where they are not at hand.
  const at::Tensor& rows;
  const c10::IValue& owner;  // the object that holds the decoder; of a frozen module the module
  std::uint64_t step = 0;    // calls of this site with gradients before this one, since the hook was registered
  Phase phase = Phase::eval;
};

// Called on the thread that runs the module, on several at once if the module is; gradients and autocast are off. A
// module called from within is not hooked meanwhile. An exception is logged and takes the hook away; the module's
// caller never sees it.
using HookCallback = std::function<void(const HookEvent& event)>;

// Holds a hook, and with it the module. Movable. Its end takes the hook away.
class SAETAP_HOOK_API ForwardHook {
 public:
  ForwardHook() = default;
  ForwardHook(ForwardHook&& other) noexcept = default;
  ForwardHook& operator=(ForwardHook&& other) noexcept;
  ~ForwardHook();

  // Takes the hook away. Once it returns, the callback is not called any more: it waits for calls in flight on other
  // threads, and not for one that it is called from. Harmless when nothing is held. (Two callbacks that take away each
  // other's hook, at once on two threads, wait for each other for ever. A second remove() at once returns at once.)
  void remove();
  // Whether the callback will still be called: false after remove(), and after it threw.
  [[nodiscard]] bool active() const;
  // What is hooked.
  [[nodiscard]] std::vector<HookSite> sites() const;

  struct State;

 private:
  friend ForwardHook SAETAP_HOOK_API register_forward_hook(const torch::jit::Module&, HookOptions, HookCallback);
  std::shared_ptr<State> state_;
};

// Calls `callback` whenever features enter a decoder of `module`, however the call gets there: by the method itself, or
// by a method of a module that contains this one. (Where a containing method applies the module twice, the first time
// alone is seen; a hook on a method that returns its code sees calls of that method itself.) From the next call on; a
// call in flight on another thread may pass unseen. Hooks run in the order in which they were registered. Thread-safe.
// Throws std::invalid_argument in one line: no such method, no such site, no site that is certain (and why),
// or a process forked from one that is recorded.
[[nodiscard]] SAETAP_HOOK_API ForwardHook register_forward_hook(const torch::jit::Module& module, HookOptions options,
                                                                HookCallback callback);

}  // namespace saetap

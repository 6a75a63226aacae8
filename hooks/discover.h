// Meets every script module at its first call, whatever way it came into the process, without interposing a symbol, and
// taps it where somebody wants to listen.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "hooks/executors.h"
#include "hooks/feature_site.h"
#include "hooks/libtorch.h"
#include "hooks/tap.h"

namespace saetap::hooks {

// A method met for the first time (in an autocast state, since the listeners changed). Valid during the call only.
struct Meeting {
  const c10::ivalue::Object& module;
  torch::jit::GraphFunction& function;
  std::string type_name;                     // unmangled, "TopKSAE"
  std::shared_ptr<torch::jit::Graph> graph;  // a copy of the optimised graph: inlined, autocast applied
  const std::vector<FeatureSite>& sites;     // in that copy, ranked
  const std::vector<int>& taps;              // the number of each site's tap, the same at every meeting; and the last:
                                             // the number of its token stream
  at::ArrayRef<c10::IValue> arguments;       // of this call, the module first; empty if it is not being called now

  [[nodiscard]] int stream_tap() const { return taps.back(); }
};

// What of a method is to be tapped.
struct Wanted {
  std::vector<std::size_t> sites;  // places in Meeting::sites
  TokenInputs inputs;              // with tokens: tap what the method returns, and the rows of its sites
  bool when_called = false;        // it takes the arguments of a call to say: if nobody wants anything now, ask again
};

// Somebody who listens. Taps come for every listener's wishes; each passes over the numbers that are not its own.
class Listener : public TapSink {
 public:
  // Called before the function runs, on the thread of the call; again for the same method when listeners come or go.
  // May throw: that listener then gets nothing of the method.
  virtual Wanted on_meeting(const Meeting& meeting) = 0;
  // A meeting that failed, in one line.
  virtual void on_failure(const std::string& what) = 0;
};

// One for the process, never destroyed: calls may be in flight on any thread until the process ends. Thread-safe.
class Discovery : public TapSink {
 public:
  static Discovery& of_process();

  // From its next call on, every script method is met. Eager operators cost nothing more, a script call 0.1-0.2 µs.
  // Listeners are told in the order in which they came. `listener` must stay until it is removed and no call is in
  // flight any more; `keep`, if given, is let go of then, by whoever is the last.
  void add(Listener& listener, std::shared_ptr<const void> keep = nullptr);
  // Calls in flight finish under their taps. With the last listener gone, every function has its own executor back.
  void remove(Listener& listener);
  // Meets a method now, not at its first call. Throws what went wrong.
  void meet(const c10::ivalue::Object& module, torch::jit::Function& method);
  // Has every method met again: a listener's wishes changed.
  void ask_again();
  // For a forked child: stops observing without touching a lock that a thread of the parent may hold.
  static void abandon() noexcept;
  [[nodiscard]] static bool abandoned() noexcept;

  void on_features(const FeatureEvent& event) noexcept override;
  void on_stream(const StreamEvent& event) noexcept override;

 private:
  using Listeners = std::vector<std::shared_ptr<Listener>>;

  Discovery() = default;
  static std::unique_ptr<at::ObserverContext> observe(const at::RecordFunction& call);
  void observe_call(const at::RecordFunction& call);
  void meet_function(const c10::ivalue::Object& module, torch::jit::Function& method,
                     at::ArrayRef<c10::IValue> arguments);
  void tap(Meeting& meeting, const Executors::Unit& unit, std::uint64_t round);
  void fail(const std::string& what);
  [[nodiscard]] std::shared_ptr<const Listeners> listeners() const { return std::atomic_load(&listeners_); }

  std::recursive_mutex
      meetings_;  // held while a function is met: another thread that calls it meanwhile waits, and is not missed
  Executors executors_;
  std::mutex changes_;  // of the listeners
  std::shared_ptr<const Listeners> listeners_ = std::make_shared<Listeners>();
  std::atomic<std::uint64_t> round_{1};  // of asking listeners what they want
  at::CallbackHandle handle_ = at::INVALID_CALLBACK_HANDLE;
};

}  // namespace saetap::hooks

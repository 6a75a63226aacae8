// Meets every script module at its first call, whatever way it came into the process, without interposing a symbol.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "hooks/executors.h"
#include "hooks/feature_site.h"
#include "hooks/libtorch.h"

namespace saetap::hooks {

// A method met for the first time (in an autocast state). Valid during the call only.
struct Meeting {
  const c10::ivalue::Object& module;
  torch::jit::GraphFunction& function;
  std::string type_name;  // unmangled, "TopKSAE"
  std::shared_ptr<torch::jit::Graph>
      graph;                            // a copy of the optimised graph: inlined, autocast applied; taps go in here
  at::ArrayRef<c10::IValue> arguments;  // of this call, the module first; keyword arguments may be missing
};

// Says whether the function's executor is to be exchanged for one that runs `meeting.graph`, after putting taps into
// it. Called on the thread of the call, before the function runs. May throw: the function is then left alone.
using OnMeeting = std::function<bool(Meeting& meeting)>;
// Told of a meeting that failed, in one line.
using OnFailure = std::function<void(const std::string& what)>;

class Discovery {
 public:
  Discovery(OnMeeting on_meeting, OnFailure on_failure);

  // Starts observing calls of script methods. Eager operators cost nothing more, a script call 0.1-0.2 µs.
  void start();
  // For a forked child: stops observing without touching a lock that a thread of the parent may hold.
  static void abandon() noexcept;
  // Stops observing and gives every function its own executor back. Calls in flight finish under their taps.
  void stop();

 private:
  static std::unique_ptr<at::ObserverContext> observe(const at::RecordFunction& call);
  void meet(const at::RecordFunction& call);
  void settle(Meeting& meeting, const Executors::Unit& unit);

  OnMeeting on_meeting_;
  OnFailure on_failure_;
  std::mutex
      meetings_;  // held while a function is met: another thread that calls it meanwhile waits, and is not missed
  Executors executors_;
  at::CallbackHandle handle_ = at::INVALID_CALLBACK_HANDLE;
};

}  // namespace saetap::hooks

#include "hooks/discover.h"

#include <atomic>

namespace saetap::hooks {

namespace {

// RecordFunction takes plain functions, so the one that observes is found here.
std::atomic<Discovery*> observing{nullptr};

// "__torch__.models.___torch_mangle_3.TopKSAE" -> "TopKSAE"
std::string unmangled(const c10::ClassTypePtr& type) {
  return type->name() ? type->name()->name() : "module";
}

}  // namespace

Discovery::Discovery(OnMeeting on_meeting, OnFailure on_failure)
    : on_meeting_(std::move(on_meeting)), on_failure_(std::move(on_failure)) {}

void Discovery::start() {
  observing.store(this, std::memory_order_release);
  if (handle_ != at::INVALID_CALLBACK_HANDLE) {
    at::reenableCallback(handle_);
    return;
  }
  handle_ = at::addGlobalCallback(
      at::RecordFunctionCallback(observe).needsInputs(true).scopes({at::RecordScope::TORCHSCRIPT_FUNCTION}));
}

void Discovery::abandon() noexcept {
  observing.store(nullptr, std::memory_order_release);
}

// A callback is only ever disabled: removing it while other threads run is not allowed (ATen/record_function.h).
void Discovery::stop() {
  if (handle_ != at::INVALID_CALLBACK_HANDLE) at::disableCallback(handle_);
  observing.store(nullptr, std::memory_order_release);
  executors_.restore();
}

std::unique_ptr<at::ObserverContext> Discovery::observe(const at::RecordFunction& call) {
  auto* discovery = observing.load(std::memory_order_acquire);
  if (discovery == nullptr) return nullptr;
  try {
    discovery->meet(call);
  } catch (const std::exception& error) {
    discovery->on_failure_(std::string(call.name()) + ": " + error.what());
  } catch (...) {
    discovery->on_failure_(std::string(call.name()) + ": unknown error");
  }
  return nullptr;
}

// One call of a method fires twice, from Method::operator() and from the interpreter, and differentiable subgraphs fire
// under
// "<forward op>": the first is told from the second by having been met, the last have no method of that name.
void Discovery::meet(const at::RecordFunction& call) {
  const auto arguments = call.inputs();
  if (arguments.empty() || !arguments[0].isObject()) return;
  const auto& module = arguments[0].toObjectRef();
  const auto type = module.type();
  auto* method = type->findMethod(call.name());
  auto* function = method != nullptr ? torch::jit::tryToGraphFunction(*method) : nullptr;
  if (function == nullptr) return;

  const Executors::Unit unit = type->compilation_unit();
  if (executors_.knows(*function, unit)) return;
  const std::lock_guard one_at_a_time(meetings_);
  if (executors_.knows(*function, unit)) return;
  function->ensure_defined();
  Meeting meeting{module, *function, unmangled(type), function->optimized_graph()->copy(), arguments};
  settle(meeting, unit);
}

// Whatever comes of it, the function is not met again.
void Discovery::settle(Meeting& meeting, const Executors::Unit& unit) {
  try {
    if (on_meeting_(meeting)) {
      executors_.exchange(meeting.function, unit, meeting.graph);
      return;
    }
  } catch (...) {
    executors_.leave_alone(meeting.function, unit);
    throw;
  }
  executors_.leave_alone(meeting.function, unit);
}

}  // namespace saetap::hooks

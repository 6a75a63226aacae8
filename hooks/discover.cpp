#include "hooks/discover.h"

#include <algorithm>
#include <set>

namespace saetap::hooks {

namespace {

// RecordFunction takes plain functions, so the one that observes is found here.
std::atomic<Discovery*> observing{nullptr};
std::atomic<bool> is_abandoned{false};

// "__torch__.models.___torch_mangle_3.TopKSAE" -> "TopKSAE"
std::string unmangled(const c10::ClassTypePtr& type) {
  return type->name() ? type->name()->name() : "module";
}

}  // namespace

Discovery& Discovery::of_process() {
  static auto* discovery = new Discovery();
  return *discovery;
}

void Discovery::add(Listener& listener, std::shared_ptr<const void> keep) {
  register_taps();
  const std::lock_guard lock(changes_);
  auto now = std::make_shared<Listeners>(*listeners());
  now->push_back(std::shared_ptr<Listener>(std::move(keep), &listener));
  std::atomic_store(&listeners_, std::shared_ptr<const Listeners>(now));
  ask_again();
  if (now->size() > 1) return;
  set_tap_sink(this);
  observing.store(this, std::memory_order_release);
  if (handle_ != at::INVALID_CALLBACK_HANDLE) {
    at::reenableCallback(handle_);
    return;
  }
  handle_ = at::addGlobalCallback(
      at::RecordFunctionCallback(observe).needsInputs(true).scopes({at::RecordScope::TORCHSCRIPT_FUNCTION}));
}

// A callback is only ever disabled: removing it while other threads run is not allowed (ATen/record_function.h).
void Discovery::remove(Listener& listener) {
  const std::lock_guard lock(changes_);
  auto now = std::make_shared<Listeners>(*listeners());
  if (std::erase_if(*now, [&](const auto& one) { return one.get() == &listener; }) == 0) return;
  std::atomic_store(&listeners_, std::shared_ptr<const Listeners>(now));
  ask_again();
  if (!now->empty()) return;
  at::disableCallback(handle_);
  observing.store(nullptr, std::memory_order_release);
  set_tap_sink(nullptr);
  executors_.restore(round_.load(std::memory_order_acquire));
}

void Discovery::ask_again() {
  round_.fetch_add(1, std::memory_order_acq_rel);
}

void Discovery::abandon() noexcept {
  is_abandoned.store(true, std::memory_order_release);
  observing.store(nullptr, std::memory_order_release);
  set_tap_sink(nullptr);
}

bool Discovery::abandoned() noexcept {
  return is_abandoned.load(std::memory_order_acquire);
}

std::unique_ptr<at::ObserverContext> Discovery::observe(const at::RecordFunction& call) {
  auto* discovery = observing.load(std::memory_order_acquire);
  if (discovery == nullptr) return nullptr;
  try {
    discovery->observe_call(call);
  } catch (const std::exception& error) {
    discovery->fail(std::string(call.name()) + ": " + error.what());
  } catch (...) {
    discovery->fail(std::string(call.name()) + ": unknown error");
  }
  return nullptr;
}

// One call of a method fires twice, from Method::operator() and from the interpreter, and differentiable subgraphs fire
// under "<forward op>": the first is told from the second by having been met, the last have no method of that name.
void Discovery::observe_call(const at::RecordFunction& call) {
  const auto arguments = call.inputs();
  if (arguments.empty() || !arguments[0].isObject()) return;
  const auto& module = arguments[0].toObjectRef();
  auto* method = module.type()->findMethod(call.name());
  if (method != nullptr) meet_function(module, *method, arguments);
}

void Discovery::meet(const c10::ivalue::Object& module, torch::jit::Function& method) {
  meet_function(module, method, {});
}

void Discovery::meet_function(const c10::ivalue::Object& module, torch::jit::Function& method,
                              at::ArrayRef<c10::IValue> arguments) {
  auto* function = torch::jit::tryToGraphFunction(method);
  if (function == nullptr) return;
  const Executors::Unit unit = module.type()->compilation_unit();
  if (executors_.knows(*function, unit, round_.load(std::memory_order_acquire))) return;
  const std::lock_guard one_at_a_time(meetings_);
  const auto round = round_.load(std::memory_order_acquire);
  if (executors_.knows(*function, unit, round)) return;
  try {
    const auto graph = graph_of(method);
    const auto sites = find_feature_sites(graph, module);
    std::vector<std::string> names;
    for (const auto& site : sites) names.push_back(site.value);
    names.emplace_back("tokens of the method");
    const auto taps = executors_.taps_of(*function, unit, names);
    Meeting meeting{module, *function, unmangled(module.type()), graph, sites, taps, arguments};
    tap(meeting, unit, round);
    // A submodule behind an interface type is called, not inlined, and its call would be seen when its code is chosen
    // already: it is met together with its caller.
    for (const auto& scope : scopes_of(*graph, module)) {
      for (const auto& call : interface_calls(scope)) meet_function(*call.callee.object, *call.method, {});
    }
  } catch (...) {
    // Whatever comes of it, the function is not met again.
    static_cast<void>(executors_.settle(*function, unit, {}, round));
    throw;
  }
}

void Discovery::tap(Meeting& meeting, const Executors::Unit& unit, std::uint64_t round) {
  std::set<std::size_t> sites;
  TokenInputs inputs;
  bool when_called = false;
  const auto asked = listeners();  // kept: they may change meanwhile
  for (const auto& listener : *asked) {
    try {
      const auto wanted = listener->on_meeting(meeting);
      sites.insert(wanted.sites.begin(), wanted.sites.end());
      if (wanted.inputs.tokens != nullptr) inputs = wanted.inputs;
      when_called = when_called || wanted.when_called;
    } catch (const std::exception& error) {
      listener->on_failure(meeting.type_name + " › " + meeting.function.name() + ": " + error.what());
    }
  }
  if (when_called && sites.empty() && inputs.tokens == nullptr) return;
  Executors::Taps taps;
  for (const auto site : sites) taps.push_back(meeting.taps[site]);
  if (inputs.tokens != nullptr) taps.push_back(meeting.stream_tap());
  std::sort(taps.begin(), taps.end());
  if (executors_.settle(meeting.function, unit, taps, round)) return;
  for (const auto site : sites) {
    if (inputs.tokens != nullptr) insert_rows_tap(meeting.sites[site], inputs, meeting.taps[site]);
    insert_feature_tap(meeting.sites[site], meeting.taps[site]);
  }
  if (inputs.tokens != nullptr) insert_stream_tap(*meeting.graph, inputs, meeting.stream_tap());
  executors_.exchange(meeting.function, unit, taps, meeting.graph, round);
}

void Discovery::fail(const std::string& what) {
  const auto told = listeners();
  for (const auto& listener : *told) listener->on_failure(what);
}

void Discovery::on_features(const FeatureEvent& event) noexcept {
  const auto told = listeners();
  for (const auto& listener : *told) listener->on_features(event);
}

void Discovery::on_stream(const StreamEvent& event) noexcept {
  const auto told = listeners();
  for (const auto& listener : *told) listener->on_stream(event);
}

}  // namespace saetap::hooks

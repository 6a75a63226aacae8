#include "hooks/forward_hook.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <thread>

#include "hooks/discover.h"
#include "plugin/log.h"

namespace saetap {

using hooks::FeatureSite;

namespace {

HookSite described(const FeatureSite& site) {
  HookSite hooked;
  hooked.value = site.value;
  hooked.decoder = site.decoder;
  hooked.activation = site.activation;
  hooked.pair = site.form == hooks::CodeForm::pair;
  hooked.features = site.features;
  hooked.d_in = site.d_in;
  hooked.d_out = site.d_out;
  hooked.groups = site.groups;
  return hooked;
}

// The objects from `root` down to the one at `path`, `root` first.
std::vector<const c10::ivalue::Object*> objects_along(const c10::ivalue::Object& root, const std::string& path) {
  std::vector<const c10::ivalue::Object*> objects{&root};
  for (std::size_t from = 0; from < path.size();) {
    const auto dot = std::min(path.find('.', from), path.size());
    const auto name = path.substr(from, dot - from);
    if (!objects.back()->type()->findAttributeSlot(name)) break;
    const auto attribute = objects.back()->getAttr(name);
    if (!attribute.isObject()) break;
    objects.push_back(&attribute.toObjectRef());
    from = dot + 1;
  }
  return objects;
}

// Whether "sae.W_dec" ends with "W_dec", as "sae.aux_W_dec" does not.
bool ends_with_path(const std::string& path, const std::string& inner) {
  return path == inner || path.ends_with("." + inner);
}

// Of "W_dec#2" the "#2"; a value that does not begin with the decoder's name, as it is.
std::string beyond_decoder(const std::string& value, const std::string& decoder) {
  return value.starts_with(decoder) ? value.substr(decoder.size()) : value;
}

std::string reasons(const std::vector<FeatureSite>& sites) {
  std::string text;
  for (const auto& site : sites) text += (text.empty() ? "" : "; ") + site.value + ": " + site.reason;
  return text;
}

}  // namespace

// Shared by the handle and by calls in flight.
struct ForwardHook::State {
  struct Hooked {
    HookSite site;
    bool repeats = false;    // chosen although it runs several times a call
    c10::ClassTypePtr type;  // of the module whose method it is in: the hooked one, or one behind an interface in it
    std::string method;
    const c10::ivalue::Object* owner = nullptr;  // lives as long as `module`
    std::atomic<std::uint64_t> steps{0};
  };

  torch::jit::Module module;
  HookOptions options;
  HookCallback callback;
  std::vector<std::unique_ptr<Hooked>> hooked;

  std::mutex mutex;
  std::condition_variable idle;
  bool removed = false;
  std::vector<std::thread::id> running;  // one entry for each call in flight

  bool enter() {
    const std::lock_guard lock(mutex);
    if (removed) return false;
    running.push_back(std::this_thread::get_id());
    return true;
  }
  void leave() {
    const std::lock_guard lock(mutex);
    running.erase(std::find(running.begin(), running.end(), std::this_thread::get_id()));
    idle.notify_all();
  }
  void call(Hooked& site, const hooks::FeatureEvent& event) {
    if (!enter()) return;
    struct Leaving {
      State& state;
      ~Leaving() { state.leave(); }
    } const leaving{*this};
    const auto step = event.grad_enabled ? site.steps.fetch_add(1) : site.steps.load();
    try {
      callback({site.site, event.values, event.indices, event.rows, event.owner, step, event.phase});
    } catch (const std::exception& error) {
      fail(site.site, error.what());
    } catch (...) {
      fail(site.site, "unknown exception");
    }
  }
  void fail(const HookSite& site, const std::string& what) {
    log(LogLevel::error, "hook on " + site.value + " taken away: " + what);
    const std::lock_guard lock(mutex);
    removed = true;
  }
};

namespace {

using State = ForwardHook::State;

// All hooks of the process, in the order of registration.
class Hooks : public hooks::Listener {
 public:
  static Hooks& of_process() {
    static auto* hooks = new Hooks();
    return *hooks;
  }

  void add(const std::shared_ptr<State>& state) {
    const std::unique_lock lock(mutex_);
    states_.push_back(state);
    if (states_.size() == 1) {
      hooks::Discovery::of_process().add(*this);
    } else {
      hooks::Discovery::of_process().ask_again();
    }
  }

  void remove(const std::shared_ptr<State>& state) {
    const std::unique_lock lock(mutex_);
    if (std::erase(states_, state) == 0) return;
    for (auto& [tap, listening] : listening_) {
      std::erase_if(listening, [&](const Listening& entry) { return entry.state == state; });
    }
    if (states_.empty()) {
      listening_.clear();
      hooks::Discovery::of_process().remove(*this);
    } else {
      hooks::Discovery::of_process().ask_again();
    }
  }

  hooks::Wanted on_meeting(const hooks::Meeting& meeting) override {
    hooks::Wanted wanted;
    const std::unique_lock lock(mutex_);
    for (std::size_t i = 0; i < meeting.sites.size(); ++i) {
      std::vector<Listening> listening;
      for (const auto& state : states_) {
        for (auto& hooked : state->hooked) {
          if (concerns(meeting, meeting.sites[i], *hooked)) listening.push_back({state, hooked.get()});
        }
      }
      if (!listening.empty()) wanted.sites.push_back(i);
      listening_[meeting.taps[i]] = std::move(listening);
    }
    return wanted;
  }
  void on_failure(const std::string& what) override { log(LogLevel::warning, "not hooked    " + what); }

  void on_features(const hooks::FeatureEvent& event) noexcept override {
    try {
      std::vector<Listening> listening;
      {
        const std::shared_lock lock(mutex_);
        const auto found = listening_.find(event.tap);
        if (found != listening_.end()) listening = found->second;
      }
      for (auto& [state, hooked] : listening) {
        // What prim::fork runs in a frozen module has no object to be known by.
        const bool is_owner = !event.owner.isObject() || &event.owner.toObjectRef() == hooked->owner;
        if (is_owner) state->call(*hooked, event);
      }
    } catch (...) {
      // Out of memory or the like: training goes on.
    }
  }
  void on_stream(const hooks::StreamEvent&) noexcept override {}

 private:
  struct Listening {
    std::shared_ptr<State> state;
    State::Hooked* hooked = nullptr;
  };

  // Whether the site, in whatever method, may be the hooked one: the method itself, or one that has it inlined, of the
  // same module or of one that holds one of its class on the way to the decoder. Which instance it is, the owner tells
  // when it runs.
  static bool concerns(const hooks::Meeting& meeting, const FeatureSite& site, const State::Hooked& hooked) {
    const auto& type = *hooked.type;
    if (site.repeats && !hooked.repeats) return false;
    if (*meeting.module.type() == type && meeting.function.name() == hooked.method) {
      return site.value == hooked.site.value;
    }
    const auto along = objects_along(meeting.module, site.module_path);
    return ends_with_path(site.decoder, hooked.site.decoder) &&
           beyond_decoder(site.value, site.decoder) == beyond_decoder(hooked.site.value, hooked.site.decoder) &&
           std::any_of(along.begin(), along.end(), [&](const auto* object) { return *object->type() == type; });
  }

  std::shared_mutex mutex_;
  std::vector<std::shared_ptr<State>> states_;
  std::map<int, std::vector<Listening>> listening_;  // by tap
};

// Adds the wanted sites of one method, and of what it calls behind interfaces; returns what was there.
std::string find_sites(const c10::ivalue::Object& self, torch::jit::Function& method, State& state) {
  const auto graph = hooks::graph_of(method);
  if (graph == nullptr) return "";
  const auto sites = hooks::find_feature_sites(graph, self);
  for (const auto& site : sites) {
    const bool chosen = state.options.value.empty() ? site.certain : site.value == state.options.value;
    if (!chosen) continue;
    auto hooked = std::make_unique<State::Hooked>();
    hooked->site = described(site);
    hooked->repeats = site.repeats;
    hooked->type = self.type();
    hooked->method = method.name();
    hooked->owner = objects_along(self, site.module_path).back();
    state.hooked.push_back(std::move(hooked));
  }
  auto seen = reasons(sites);
  for (const auto& scope : hooks::scopes_of(*graph, self)) {
    for (const auto& call : hooks::interface_calls(scope)) {
      const auto inner = find_sites(*call.callee.object, *call.method, state);
      if (!inner.empty()) seen += (seen.empty() ? "" : "; ") + inner;
    }
  }
  return seen;
}

void find_sites(State& state) {
  const auto method = state.module.find_method(state.options.method);
  const auto type_name = state.module.type()->name() ? state.module.type()->name()->name() : "the module";
  if (!method) throw std::invalid_argument(type_name + " has no method " + state.options.method);
  const auto seen = find_sites(*state.module._ivalue(), method->function(), state);
  if (!state.hooked.empty()) return;
  const auto missing = state.options.value.empty() ? " has no certain site" : " has no site " + state.options.value;
  throw std::invalid_argument(type_name + " › " + state.options.method + missing + " (" +
                              (seen.empty() ? "no pair of an encoder and a decoder in it" : seen) + ")");
}

}  // namespace

ForwardHook register_forward_hook(const torch::jit::Module& module, HookOptions options, HookCallback callback) {
  if (hooks::Discovery::abandoned()) {
    throw std::invalid_argument("nothing can be hooked in a process forked from one that is recorded");
  }
  ForwardHook hook;
  hook.state_ = std::make_shared<State>();
  auto& state = *hook.state_;
  state.module = module;
  state.options = std::move(options);
  state.callback = std::move(callback);
  find_sites(state);
  Hooks::of_process().add(hook.state_);
  // Now and not at its first call: calls that start in the interpreter are observed when their code is chosen already.
  hooks::Discovery::of_process().meet(*module._ivalue(), module.get_method(state.options.method).function());
  return hook;
}

ForwardHook& ForwardHook::operator=(ForwardHook&& other) noexcept {
  if (this != &other) {
    remove();
    state_ = std::move(other.state_);
  }
  return *this;
}

ForwardHook::~ForwardHook() {
  remove();
}

void ForwardHook::remove() {
  // A callback may take its own hook away, on several threads at once.
  const auto state = std::atomic_exchange(&state_, std::shared_ptr<State>());
  if (state == nullptr) return;
  Hooks::of_process().remove(state);
  std::unique_lock lock(state->mutex);
  state->removed = true;
  const auto here = std::this_thread::get_id();
  state->idle.wait(lock, [&] {
    return std::all_of(state->running.begin(), state->running.end(), [&](const auto id) { return id == here; });
  });
}

bool ForwardHook::active() const {
  const auto state = std::atomic_load(&state_);
  if (state == nullptr) return false;
  const std::lock_guard lock(state->mutex);
  return !state->removed;
}

std::vector<HookSite> ForwardHook::sites() const {
  const auto state = std::atomic_load(&state_);
  std::vector<HookSite> sites;
  if (state == nullptr) return sites;
  for (const auto& hooked : state->hooked) sites.push_back(hooked->site);
  return sites;
}

}  // namespace saetap

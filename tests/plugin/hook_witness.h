// What the tests of the hook API share: a callback that keeps copies of what it is shown, and a look at executors.
#pragma once

#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "hooks/forward_hook.h"
#include "tests/plugin/script_modules.h"

namespace saetap::testing {

struct SeenCall {
  HookSite site;
  at::Tensor activations;
  at::Tensor indices;
  at::Tensor rows;
  const void* owner;  // address of the object
  std::uint64_t step;
  Phase phase;
};

// Must outlive the hooks that it is given to.
class HookWitness {
 public:
  HookCallback callback() {
    return [this](const HookEvent& event) {
      const auto copy = [](const at::Tensor& tensor) { return tensor.defined() ? tensor.clone() : tensor; };
      const void* owner = event.owner.isObject() ? &event.owner.toObjectRef() : nullptr;
      const std::lock_guard lock(mutex_);
      calls.push_back(
          {event.site, copy(event.activations), copy(event.indices), copy(event.rows), owner, event.step, event.phase});
    };
  }

  std::vector<SeenCall> calls;

 private:
  std::mutex mutex_;
};

// A hook that counts. `count` must outlive it.
inline ForwardHook counting_hook(const torch::jit::Module& module, int& count) {
  return register_forward_hook(module, {}, [&count](const HookEvent&) { ++count; });
}

inline torch::jit::GraphFunction& function_of(const torch::jit::Module& module, const std::string& method = "forward") {
  return torch::jit::toGraphFunction(module.get_method(method).function());
}

// Tells executors apart: a GraphExecutor is nothing but a shared_ptr, which it does not show.
inline const void* executor_of(const torch::jit::Module& module) {
  const void* implementation = nullptr;
  std::memcpy(&implementation, &function_of(module).get_executor(), sizeof implementation);
  return implementation;
}

// Whether what runs by now has a tap in it; once it was called a few times.
inline bool is_tapped(const torch::jit::Module& module) {
  const auto state = function_of(module).get_executor().getDebugState();
  return state.execution_plans.begin()->second.graph->toString().find("saetap::tap") != std::string::npos;
}

inline void call(torch::jit::Module module, int times, int64_t width = 8) {
  for (int i = 0; i < times; ++i) module.forward({at::randn({5, width})});
}

// An SAE behind the names that trainers give it: a module that holds it, or several.
inline torch::jit::Module holder(const std::string& type,
                                 const std::vector<std::pair<std::string, torch::jit::Module>>& parts,
                                 const std::string& source) {
  torch::jit::Module outer(type);
  for (const auto& [name, part] : parts) outer.register_module(name, part);
  outer.define(source);
  return outer;
}

}  // namespace saetap::testing

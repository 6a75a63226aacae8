#include "hooks/executors.h"

#include <atomic>

namespace saetap::hooks {

using torch::jit::GraphExecutor;
using torch::jit::GraphFunction;

// GraphFunction::currentSpecialization() is private: this follows it (torch/csrc/jit/api/function_impl.cpp).
Executors::Key Executors::key_of(const GraphFunction& function) {
  const int cpu = at::autocast::is_autocast_enabled(at::kCPU) ? 1 : 0;
  const int gpu = at::autocast::is_autocast_enabled(at::kCUDA) ? 2 : 0;
  return {&function, cpu | gpu};
}

bool Executors::knows(const GraphFunction& function, const Unit& unit) {
  const std::shared_lock lock(mutex_);
  const auto found = known_.find(key_of(function));
  return found != known_.end() && found->second.unit.lock() == unit;
}

void Executors::leave_alone(const GraphFunction& function, const Unit& unit) {
  const std::unique_lock lock(mutex_);
  forget_dead_units();
  known_[key_of(function)] = Known{unit, nullptr, nullptr};
}

void Executors::exchange(GraphFunction& function, const Unit& unit, const std::shared_ptr<torch::jit::Graph>& tapped) {
  // Compiled outside our lock: both take LibTorch's own.
  GraphExecutor& slot = function.get_executor();
  auto exchanged = std::make_shared<Exchanged>(Exchanged{slot, GraphExecutor(tapped, function.name())});
  const std::unique_lock lock(mutex_);
  forget_dead_units();
  known_[key_of(function)] = Known{unit, &slot, exchanged};
  // Another thread may read the slot while it is written: the new executor must be whole before its address is seen.
  std::atomic_thread_fence(std::memory_order_release);
  slot = exchanged->tapped;
}

void Executors::restore() {
  const std::unique_lock lock(mutex_);
  for (auto& [key, known] : known_) {
    const auto alive = known.unit.lock();
    if (alive == nullptr || known.slot == nullptr) continue;
    std::atomic_thread_fence(std::memory_order_release);
    *known.slot = known.exchanged->original;
    retired_.push_back(known);
  }
  known_.clear();
}

// Old executors keep the weights of frozen modules: they go when their unit is gone.
void Executors::forget_dead_units() {
  std::erase_if(known_, [](const auto& entry) { return entry.second.unit.expired(); });
  std::erase_if(retired_, [](const Known& known) { return known.unit.expired(); });
}

}  // namespace saetap::hooks

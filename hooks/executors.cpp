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

bool Executors::knows(const GraphFunction& function, const Unit& unit, std::uint64_t round) {
  const std::shared_lock lock(mutex_);
  const auto found = known_.find(key_of(function));
  return found != known_.end() && found->second.round == round && found->second.unit.lock() == unit;
}

// Old executors keep the weights of frozen modules: they go when their unit is gone.
void Executors::forget_dead_units() {
  std::erase_if(known_, [](const auto& entry) { return entry.second.unit.expired(); });
}

Executors::Known& Executors::entry_of(const GraphFunction& function, const Unit& unit) {
  const auto key = key_of(function);
  const auto found = known_.find(key);
  if (found != known_.end() && found->second.unit.lock() == unit) return found->second;
  forget_dead_units();
  auto& known = known_[key] = Known();
  known.unit = unit;
  return known;
}

Executors::Taps Executors::taps_of(const GraphFunction& function, const Unit& unit,
                                   const std::vector<std::string>& names) {
  const std::unique_lock lock(mutex_);
  auto& numbers = entry_of(function, unit).numbers;
  Taps taps;
  for (const auto& name : names) {
    const auto [number, is_new] = numbers.emplace(name, next_tap_);
    if (is_new) ++next_tap_;
    taps.push_back(number->second);
  }
  return taps;
}

// Another thread may read the slot while it is written: the new executor must be whole before its address is seen.
void Executors::run(Known& known, const GraphExecutor& executor) {
  std::atomic_thread_fence(std::memory_order_release);
  *known.slot = executor;
}

bool Executors::settle(const GraphFunction& function, const Unit& unit, const Taps& taps, std::uint64_t round) {
  const std::unique_lock lock(mutex_);
  if (round < restored_at_) return true;
  auto& known = entry_of(function, unit);
  const auto prepared = known.tapped.find(taps);
  if (!taps.empty() && prepared == known.tapped.end()) return false;
  if (known.slot != nullptr) run(known, taps.empty() ? known.own : prepared->second);
  known.round = round;
  return true;
}

void Executors::exchange(GraphFunction& function, const Unit& unit, const Taps& taps,
                         const std::shared_ptr<torch::jit::Graph>& tapped, std::uint64_t round) {
  // Compiled outside our lock: both take LibTorch's own.
  GraphExecutor& slot = function.get_executor();
  const GraphExecutor executor(tapped, function.name());
  const std::unique_lock lock(mutex_);
  if (round < restored_at_) return;
  forget_dead_units();  // listeners may have let go of some just now
  auto& known = entry_of(function, unit);
  if (known.slot == nullptr) known.own = slot;
  known.slot = &slot;
  known.tapped[taps] = executor;
  known.round = round;
  run(known, executor);
}

void Executors::restore(std::uint64_t round) {
  const std::unique_lock lock(mutex_);
  restored_at_ = round;
  for (auto& [key, known] : known_) {
    known.round = 0;
    if (known.slot != nullptr && known.unit.lock() != nullptr) run(known, known.own);
  }
}

}  // namespace saetap::hooks

// Which functions were met, and whose executor was exchanged for one that runs a tapped copy of the graph.
//
// The module itself is never changed: its graphs are what save(), clone() and freeze() read. What is exchanged is the
// function's executor, of which there is one per autocast state; each is exchanged when it is first met.
#pragma once

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

#include "hooks/libtorch.h"

namespace saetap::hooks {

class Executors {
 public:
  using Unit = std::shared_ptr<torch::jit::CompilationUnit>;

  // Whether this function was exchanged or left alone before, in the current autocast state. An address is no identity
  // (a destroyed module's functions are often followed by another's at the same place), so a function is known by its
  // address together with the compilation unit that keeps it alive. Thread-safe, and quick: it is asked at every call.
  [[nodiscard]] bool knows(const torch::jit::GraphFunction& function, const Unit& unit);

  // Remembers that the function keeps its own executor. Thread-safe.
  void leave_alone(const torch::jit::GraphFunction& function, const Unit& unit);

  // Makes the function run `tapped` from its next call on, in the current autocast state. Threads inside the old
  // executor go on in it: it lives as long as its compilation unit. Thread-safe.
  void exchange(torch::jit::GraphFunction& function, const Unit& unit,
                const std::shared_ptr<torch::jit::Graph>& tapped);

  // Gives every living function its own executor back and forgets all meetings.
  void restore();

 private:
  struct Exchanged {
    torch::jit::GraphExecutor original;
    torch::jit::GraphExecutor tapped;
  };
  // What is known of one function in one autocast state.
  struct Known {
    std::weak_ptr<torch::jit::CompilationUnit> unit;
    torch::jit::GraphExecutor* slot = nullptr;  // inside the function; null if its executor was left alone
    std::shared_ptr<Exchanged> exchanged;
  };
  struct Key {
    const torch::jit::GraphFunction* function = nullptr;
    int autocast = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept {
      return std::hash<const void*>()(key.function) ^ static_cast<std::size_t>(key.autocast);
    }
  };

  static Key key_of(const torch::jit::GraphFunction& function);
  void forget_dead_units();

  std::shared_mutex mutex_;
  std::unordered_map<Key, Known, KeyHash> known_;
  std::vector<Known> retired_;  // given back, but a thread may still be inside the tapped one
};

}  // namespace saetap::hooks

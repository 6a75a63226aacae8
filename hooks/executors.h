// Which functions were met, and whose executor was exchanged for one that runs a tapped copy of the graph.
//
// The module itself is never changed: its graphs are what save(), clone() and freeze() read. What is exchanged is the
// function's executor, of which there is one per autocast state; each is exchanged when it is first met.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "hooks/libtorch.h"

namespace saetap::hooks {

// Every method below is thread-safe, and means the function in the current autocast state.
class Executors {
 public:
  using Unit = std::shared_ptr<torch::jit::CompilationUnit>;
  using Taps = std::vector<int>;

  // Whether this function was settled under this round of listeners. An address is no identity (a destroyed module's
  // functions are often followed by another's at the same place), so a function is known by its address together with
  // the compilation unit that keeps it alive. Quick: it is asked at every call.
  [[nodiscard]] bool knows(const torch::jit::GraphFunction& function, const Unit& unit, std::uint64_t round);

  // The numbers of a function's taps, one for each name, given out once.
  [[nodiscard]] Taps taps_of(const torch::jit::GraphFunction& function, const Unit& unit,
                             const std::vector<std::string>& names);

  // Makes the function run with just these taps from its next call on, if that was prepared before; none: its own
  // executor. False if it has to be prepared.
  [[nodiscard]] bool settle(const torch::jit::GraphFunction& function, const Unit& unit, const Taps& taps,
                            std::uint64_t round);

  // Prepares `tapped`, the graph with these taps, and makes the function run it from its next call on. Threads inside
  // another executor go on in it: each lives as long as its compilation unit.
  void exchange(torch::jit::GraphFunction& function, const Unit& unit, const Taps& taps,
                const std::shared_ptr<torch::jit::Graph>& tapped, std::uint64_t round);

  // Gives every living function its own executor back. What is asked for later under a round before `round`, by a
  // thread that was meeting a function meanwhile, is not done any more.
  void restore(std::uint64_t round);

 private:
  // What is known of one function in one autocast state.
  struct Known {
    std::weak_ptr<torch::jit::CompilationUnit> unit;
    std::uint64_t round = 0;
    std::map<std::string, int> numbers;
    torch::jit::GraphExecutor* slot = nullptr;  // inside the function; null while it always ran its own
    torch::jit::GraphExecutor own;
    std::map<Taps, torch::jit::GraphExecutor> tapped;  // kept: listeners come and go
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
  Known& entry_of(const torch::jit::GraphFunction& function, const Unit& unit);
  void forget_dead_units();
  static void run(Known& known, const torch::jit::GraphExecutor& executor);

  std::shared_mutex mutex_;
  std::unordered_map<Key, Known, KeyHash> known_;
  std::uint64_t restored_at_ = 0;
  int next_tap_ = 0;
};

}  // namespace saetap::hooks

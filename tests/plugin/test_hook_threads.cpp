// Hooks that come and go while other threads are inside the module.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/plugin/hook_witness.h"
#include "tests/plugin/tap_recorder.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

constexpr int kCallers = 3;

// Threads that call a module until they are told to stop, and count what came out wrong.
class Callers {
 public:
  explicit Callers(const torch::jit::Module& module) {
    for (int t = 0; t < kCallers; ++t) {
      threads_.emplace_back([this, own = module]() mutable {
        const at::NoGradGuard no_grad;
        const auto x = at::randn({5, 8});
        const auto expected = run(own, x, 0);
        while (!stop_) {
          wrong_ += at::equal(run(own, x, 0), expected) ? 0 : 1;
          ++calls_;
        }
      });
    }
    while (calls_ < kCallers) std::this_thread::yield();
  }
  ~Callers() { join(); }
  Callers(const Callers&) = delete;
  Callers& operator=(const Callers&) = delete;

  void join() {
    stop_ = true;
    for (auto& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  [[nodiscard]] int wrong() const { return wrong_; }
  [[nodiscard]] int calls() const { return calls_; }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<int> wrong_{0};
  std::atomic<int> calls_{0};
  std::vector<std::thread> threads_;
};

// Until a call came by, or 10 s are over.
bool comes_by(const std::atomic<int>& seen) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (seen == 0 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  return seen > 0;
}

// Wants nothing, and takes its time to say so.
class Slow : public hooks::Listener {
 public:
  hooks::Wanted on_meeting(const hooks::Meeting&) override {
    asked = true;
    while (!may_answer) std::this_thread::yield();
    return {};
  }
  void on_failure(const std::string&) override {}
  void on_features(const hooks::FeatureEvent&) noexcept override {}
  void on_stream(const hooks::StreamEvent&) noexcept override {}

  std::atomic<bool> asked{false};
  std::atomic<bool> may_answer{false};
};

}  // namespace

TEST_CASE("a method that is being met while the last listener goes keeps its own executor") {
  auto sae = sae_module("ReluSAE", kReluSource, 8, 32);
  const void* own = executor_of(sae);
  Recorder recorder;
  Slow slow;
  hooks::Discovery::of_process().add(slow);
  std::thread caller([&] { call(sae, 1); });
  while (!slow.asked) std::this_thread::yield();
  recorder.stop();
  hooks::Discovery::of_process().remove(slow);
  slow.may_answer = true;
  caller.join();
  CHECK(executor_of(sae) == own);
  Recorder again;
  call(sae, 2);
  CHECK(again.seen == 2);
}

TEST_CASE("hooks come and go 200 times while threads call the module: every output is right, every hook is called") {
  for (const bool another_stays : {false, true}) {
    auto sae = sae_module("ReluSAE", kReluSource, 8, 32);
    {
      const at::NoGradGuard no_grad;
      call(sae, 4);
    }
    const void* own = executor_of(sae);
    std::atomic<int> of_the_staying{0};
    ForwardHook staying;
    if (another_stays) staying = register_forward_hook(sae, {}, [&](const HookEvent&) { ++of_the_staying; });
    Callers callers(sae);
    int unseen = 0, late = 0;
    for (int turn = 0; turn < 200; ++turn) {
      std::atomic<int> seen{0};
      auto hook = register_forward_hook(sae, {}, [&](const HookEvent&) { ++seen; });
      unseen += comes_by(seen) ? 0 : 1;
      hook.remove();
      const int at_removal = seen;
      std::this_thread::yield();
      late += seen - at_removal;
    }
    staying.remove();
    callers.join();
    CHECK(callers.wrong() == 0);
    CHECK(unseen == 0);
    CHECK(late == 0);
    CHECK((of_the_staying > 0) == another_stays);
    CHECK(executor_of(sae) == own);
  }
}

TEST_CASE("a hook that comes and goes at once never leaves a tapped executor behind") {
  auto sae = sae_module("ReluSAE", kReluSource, 8, 32);
  {
    const at::NoGradGuard no_grad;
    call(sae, 4);
  }
  const void* own = executor_of(sae);
  int left_behind = 0;
  Callers callers(sae);
  for (int turn = 0; turn < 200; ++turn) {
    // With a second listener about, the callers are meeting the method when the last hook goes.
    auto first = register_forward_hook(sae, {}, [](const HookEvent&) {});
    auto second = register_forward_hook(sae, {}, [](const HookEvent&) {});
    first.remove();
    second.remove();
    const int calls = callers.calls();
    while (callers.calls() < calls + 2 * kCallers) std::this_thread::yield();
    left_behind += executor_of(sae) == own ? 0 : 1;
  }
  callers.join();
  CHECK(left_behind == 0);
  CHECK(callers.wrong() == 0);
}

TEST_CASE("remove waits for a call in flight on another thread, and the callback is never called after it") {
  auto sae = sae_module("ReluSAE", kReluSource, 8, 32);
  std::atomic<bool> inside{false}, finished{false};
  auto hook = register_forward_hook(sae, {}, [&](const HookEvent&) {
    inside = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    finished = true;
  });
  std::thread caller([&] { call(sae, 1); });
  while (!inside) std::this_thread::yield();
  hook.remove();
  CHECK(finished);
  caller.join();
  finished = false;
  call(sae, 1);
  CHECK_FALSE(finished);
}

TEST_CASE("a hook registered by one thread is seen by calls of the others, each with its own rows") {
  auto sae = sae_module("JumpReluSAE", kJumpReluSource, 8, 32);
  HookWitness witness;
  const auto hook = register_forward_hook(sae, {}, witness.callback());
  std::vector<std::thread> threads;
  for (int t = 0; t < kCallers; ++t) {
    threads.emplace_back([&sae, t] {
      auto own = sae;
      const auto x = at::full({2 + t, 8}, 0.5 + t);
      for (int i = 0; i < 30; ++i) run(own, x, 0);
    });
  }
  for (auto& thread : threads) thread.join();
  REQUIRE(witness.calls.size() == 30 * kCallers);
  std::vector<int> of_thread(kCallers);
  std::vector<std::uint64_t> steps;
  for (const auto& seen : witness.calls) {
    const auto t = seen.rows.size(0) - 2;
    ++of_thread[static_cast<std::size_t>(t)];
    steps.push_back(seen.step);
    CHECK(at::equal(seen.rows, at::full({2 + t, 8}, 0.5 + static_cast<double>(t))));
    CHECK(seen.activations.size(0) == seen.rows.size(0));
  }
  CHECK(of_thread == std::vector<int>(kCallers, 30));
  std::sort(steps.begin(), steps.end());
  for (std::size_t i = 0; i < steps.size(); ++i) CHECK(steps[i] == i);  // each number once
}

// Modules that are cloned, moved to another type, saved, loaded and destroyed while somebody listens.
#include <doctest/doctest.h>
#include <malloc.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "tests/plugin/hook_witness.h"
#include "tests/plugin/tap_recorder.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

constexpr std::int64_t kWide = 64;
constexpr int kWarmUp = 100;
constexpr int kTurns = 1000;

torch::jit::Module small_sae() {
  return sae_module("ReluSAE", kReluSource, 8, 32);
}

// Of what is in use: memory that was freed goes back first.
std::int64_t resident_bytes() {
  malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  std::int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

// How much the resident memory grew over a thousand turns, once the first hundred have filled every cache.
std::int64_t growth(const std::function<void()>& turn) {
  for (int i = 0; i < kWarmUp; ++i) turn();
  const auto before = resident_bytes();
  for (int i = 0; i < kTurns; ++i) turn();
  return resident_bytes() - before;
}

// A turn's module has 65 kB of weights, and its graphs take more: what is kept of each turn shows.
constexpr std::int64_t kMargin = 4'000'000;

// A call as short as can be: no time is spent on compiling for gradients.
void call_once(torch::jit::Module module) {
  const at::NoGradGuard no_grad;
  module.forward({at::ones({1, kWide})});
}

void check_no_growth(const std::function<void()>& turn) {
  const auto alone = growth(turn);
  Recorder recorder;
  recorder.keep = false;
  const auto listened = growth(turn);
  CHECK(recorder.seen == kWarmUp + kTurns);
  CHECK(recorder.failures.empty());
  INFO("resident memory grew by ", alone / 1024, " KiB alone, by ", listened / 1024, " KiB listened to");
  CHECK(listened <= std::max<std::int64_t>(alone, 0) + kMargin);
}

}  // namespace

TEST_CASE("clones and copies of a module that is listened to are seen from their first call on") {
  Recorder recorder;
  auto original = small_sae();
  run(original, at::randn({5, 8}), 1);
  for (auto copy : {original.clone(), original.deepcopy(), original.copy(), frozen(original)}) {
    const auto seen = recorder.features.size();
    const auto features = run(copy, at::randn({5, 8}), 1).detach();
    REQUIRE(recorder.features.size() == seen + 1);
    CHECK(at::equal(recorder.features.back(), features));
  }
}

TEST_CASE("a module moved to another type is seen in that type") {
  for (const auto* source : {kReluSource, kTopKSource, kJumpReluSource}) {
    Recorder recorder;
    auto sae = sae_module("SAE", source, 8, 32);
    std::size_t calls = 0;
    for (const auto type : {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf, at::kFloat}) {
      sae.to(type);
      for (int i = 0; i < 3; ++i) {
        const auto features = run(sae, at::randn({5, 8}).to(type), 1).detach();
        REQUIRE(recorder.features.size() == ++calls);
        CHECK((recorder.features.back().scalar_type() == type));
        CHECK(at::equal(recorder.features.back(), features));
      }
    }
  }
}

TEST_CASE("a hook stays on a module that is moved to another type, and on none of its copies") {
  auto sae = small_sae();
  HookWitness witness;
  const auto hook = register_forward_hook(sae, {}, witness.callback());
  for (auto copy : {sae.clone(), sae.deepcopy(), frozen(sae), loaded(saved_bytes(sae))}) call(copy, 1);
  CHECK(witness.calls.empty());
  sae.to(at::kDouble);
  const auto features = run(sae, at::randn({5, 8}).to(at::kDouble), 1);
  REQUIRE(witness.calls.size() == 1);
  CHECK((witness.calls[0].activations.scalar_type() == at::kDouble));
  CHECK(at::equal(witness.calls[0].activations, features));
}

TEST_CASE("a module saved while it is listened to loads anywhere, and is seen there") {
  const auto plain = saved_bytes(small_sae());
  Recorder recorder;
  auto sae = small_sae();
  for (int i = 0; i < 4; ++i) run(sae, at::randn({5, 8}), 1);
  const auto bytes = saved_bytes(sae);
  CHECK(bytes.size() == plain.size());
  auto reloaded = loaded(bytes);
  CHECK(function_of(reloaded).graph()->toString().find("saetap") == std::string::npos);
  const auto features = run(reloaded, at::randn({5, 8}), 1).detach();
  REQUIRE(recorder.features.size() == 5);
  CHECK(at::equal(recorder.features.back(), features));
  CHECK(recorder.owners.back().toObject() == reloaded._ivalue());
}

TEST_CASE("freed and loaded again, every module is seen") {
  const auto bytes = saved_bytes(small_sae());
  Recorder recorder;
  for (int turn = 0; turn < 20; ++turn) {
    auto sae = loaded(bytes);
    const auto features = run(sae, at::randn({5, 8}), 1).detach();
    REQUIRE(recorder.features.size() == static_cast<std::size_t>(turn) + 1);
    CHECK(at::equal(recorder.features.back(), features));
    recorder.owners.clear();
  }
}

TEST_CASE("listening may begin after the thousandth call") {
  auto sae = sae_module("TopKSAE", kTopKSource, 8, 32);
  call(sae, 1000);
  Recorder recorder;
  HookWitness witness;
  const auto hook = register_forward_hook(sae, {}, witness.callback());
  for (int i = 0; i < 5; ++i) {
    const auto features = run(sae, at::randn({5, 8}), 1).detach();
    REQUIRE(recorder.features.size() == static_cast<std::size_t>(i) + 1);
    CHECK(at::equal(recorder.features.back(), features));
    CHECK(witness.calls.size() == recorder.features.size());
  }
}

TEST_CASE("a thousand modules loaded, called and destroyed are all seen, and leave no memory behind") {
  const auto bytes = saved_bytes(sae_module("ReluSAE", kReluSource, kWide, 2 * kWide));
  check_no_growth([&] { call_once(loaded(bytes)); });
}

TEST_CASE("a thousand frozen modules loaded, called and destroyed are all seen, and leave no memory behind") {
  const auto bytes = saved_bytes(frozen(sae_module("TopKSAE", kTopKSource, kWide, 2 * kWide)));
  check_no_growth([&] { call_once(loaded(bytes)); });
}

TEST_CASE("a thousand deep copies, which share their functions, are all seen, and leave no memory behind") {
  const auto original = sae_module("ReluSAE", kReluSource, kWide, 2 * kWide);
  check_no_growth([&] { call_once(original.deepcopy()); });
}

// A clone is a type of its own in the original's compilation unit, and LibTorch keeps its functions as long as that.
TEST_CASE("a thousand clones are all seen, and keep at most as much again as LibTorch keeps of them") {
  const auto clone_a_thousand = [] {
    const auto original = sae_module("ReluSAE", kReluSource, kWide, 2 * kWide);
    const auto before = resident_bytes();
    for (int i = 0; i < kTurns; ++i) call_once(original.clone());
    return resident_bytes() - before;
  };
  const auto alone = clone_a_thousand();
  Recorder recorder;
  recorder.keep = false;
  const auto listened = clone_a_thousand();
  CHECK(recorder.seen == kTurns);
  INFO("resident memory grew by ", alone / 1024, " KiB alone, by ", listened / 1024, " KiB listened to");
  CHECK(listened <= 2 * std::max<std::int64_t>(alone, 0) + kMargin);
}

TEST_CASE("a hook registered and removed a thousand times on one module leaves no memory behind") {
  const auto sae = sae_module("ReluSAE", kReluSource, kWide, 2 * kWide);
  const void* own = executor_of(sae);
  int count = 0;
  const auto grown = growth([&] {
    const auto hook = counting_hook(sae, count);
    call_once(sae);
  });
  CHECK(count == kWarmUp + kTurns);
  CHECK(grown <= kMargin);
  CHECK(executor_of(sae) == own);
}

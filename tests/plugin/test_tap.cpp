// Taps see exactly what the decoder consumes, once per call, and leave no trace in the module.
#include <doctest/doctest.h>

#include <thread>

#include "tests/plugin/script_modules.h"
#include "tests/plugin/tap_recorder.h"

using namespace saetap;
using namespace saetap::testing;

TEST_CASE("every call is seen once, from the first on, with the decoder's own operand") {
  for (const auto* source : {kReluSource, kTopKSource, kJumpReluSource, kTiedSource, kChangedLaterSource}) {
    Recorder recorder;
    auto module = sae_module("SAE", source, 8, 32);
    std::vector<at::Tensor> expected;
    for (int call = 0; call < 6; ++call) expected.push_back(run(module, at::randn({5, 8}), 1));
    REQUIRE(recorder.features.size() == 6);
    for (std::size_t call = 0; call < 6; ++call) CHECK(at::equal(recorder.features[call], expected[call].detach()));
    CHECK(recorder.failures.empty());
    CHECK(recorder.meetings == 1);
  }
}

TEST_CASE("a module that has run before is seen from the moment of attaching") {
  auto module = sae_module("SAE", kReluSource, 8, 32);
  for (int call = 0; call < 3; ++call) run(module, at::randn({5, 8}), 1);
  Recorder recorder;
  for (int call = 0; call < 5; ++call) run(module, at::randn({5, 8}), 1);
  CHECK(recorder.features.size() == 5);
}

TEST_CASE("outputs and gradients are equal to the last bit, with and without autocast and gradients") {
  const auto x = at::randn({16, 8});
  for (const auto* source : {kReluSource, kTopKSource, kJumpReluSource, kTiedSource}) {
    for (const bool autocast : {false, true}) {
      const auto train = [&] {
        auto module = sae_module("SAE", source, 8, 32);
        at::autocast::set_autocast_enabled(at::kCPU, autocast);
        std::vector<at::Tensor> results;
        for (int step = 0; step < 4; ++step) {
          auto output = module.forward({x}).toTuple()->elements()[0].toTensor();
          results.push_back(output.detach().clone());
          at::autocast::set_autocast_enabled(at::kCPU, false);
          (output.to(at::kFloat) - x).pow(2).mean().backward();
          at::autocast::set_autocast_enabled(at::kCPU, autocast);
        }
        for (const auto& parameter : module.parameters()) {
          if (parameter.grad().defined()) results.push_back(parameter.grad().clone());
        }
        at::autocast::set_autocast_enabled(at::kCPU, false);
        return results;
      };
      const auto without = train();
      Recorder recorder;
      const auto with = train();
      REQUIRE(recorder.features.size() == 4);
      CHECK((recorder.features[0].scalar_type() == (autocast ? at::kBFloat16 : at::kFloat)));
      REQUIRE(with.size() == without.size());
      for (std::size_t i = 0; i < with.size(); ++i) CHECK(at::equal(with[i], without[i]));
    }
  }
}

TEST_CASE("training is equal to the last bit, a gradient that is summed from three terms included") {
  const auto x = at::randn({16, 8});
  for (const auto* source : {kGatedSource, kReluSource, kTopKSource, kJumpReluSource, kTiedSource}) {
    const auto without = trained(sae_module("SAE", source, 8, 32), x, 8);
    Recorder recorder;
    const auto with = trained(sae_module("SAE", source, 8, 32), x, 8);
    CHECK(recorder.features.size() == 8);
    CHECK(equal_to_the_last_bit(with, without));
  }
}

TEST_CASE("a module met under autocast and without it is tapped in both states") {
  Recorder recorder;
  auto module = sae_module("SAE", kReluSource, 8, 32);
  run(module, at::randn({5, 8}), 1);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  run(module, at::randn({5, 8}), 1);
  at::autocast::set_autocast_enabled(at::kCPU, false);
  run(module, at::randn({5, 8}), 1);
  CHECK(recorder.features.size() == 3);
  CHECK(recorder.meetings == 2);
}

TEST_CASE("the module stays as it was: graphs, saved bytes, clones and frozen copies carry no tap") {
  auto module = sae_module("SAE", kReluSource, 8, 32);
  const auto before = saved_bytes(module);
  Recorder recorder;
  for (int call = 0; call < 3; ++call) run(module, at::randn({5, 8}), 1);
  const auto saved = saved_bytes(module);
  CHECK(saved.size() == before.size());
  CHECK(saved.find("saetap") == std::string::npos);
  CHECK(module.get_method("forward").graph()->toString().find("saetap") == std::string::npos);
  CHECK(module.clone().get_method("forward").graph()->toString().find("saetap") == std::string::npos);
}

TEST_CASE("after stop the module runs its own executor again") {
  auto module = sae_module("SAE", kReluSource, 8, 32);
  Recorder recorder;
  run(module, at::randn({5, 8}), 1);
  recorder.stop();
  for (int call = 0; call < 3; ++call) run(module, at::randn({5, 8}), 1);
  CHECK(recorder.features.size() == 1);
  Recorder again;
  run(module, at::randn({5, 8}), 1);
  CHECK(again.features.size() == 1);
}

TEST_CASE("modules loaded, called and destroyed in turn are all seen, and frozen weights do not pile up") {
  Recorder recorder;
  std::vector<c10::weak_intrusive_ptr<c10::StorageImpl>> weights;
  for (int turn = 0; turn < 60; ++turn) {
    auto module = frozen(sae_module("SAE", kTopKSource, 8, 32));
    {
      const auto graph = torch::jit::toGraphFunction(module.get_method("forward").function()).optimized_graph()->copy();
      const auto sites = hooks::find_feature_sites(graph, *module._ivalue());
      REQUIRE_FALSE(sites.empty());
      weights.emplace_back(sites.front().decoder_constant.storage().getWeakStorageImpl());
    }
    run(module, at::randn({5, 8}), 1);
    recorder.owners.clear();
  }
  CHECK(recorder.features.size() == 60);
  const auto alive = std::count_if(weights.begin(), weights.end(), [](const auto& weak) { return !weak.expired(); });
  CHECK(alive <= 1);  // the last one, until the next meeting
}

TEST_CASE("calls without gradients say so, and instances of one class keep their own owners") {
  Recorder recorder;
  auto first = sae_module("ReluSAE", kReluSource, 8, 32);
  auto second = first.deepcopy();  // shares type and functions
  {
    const at::NoGradGuard no_grad;
    run(first, at::randn({5, 8}), 1);
  }
  run(second, at::randn({5, 8}), 1);
  REQUIRE(recorder.owners.size() == 2);
  CHECK_FALSE(recorder.grads[0]);
  CHECK(recorder.grads[1]);
  CHECK(recorder.owners[0].toObject() == first._ivalue());
  CHECK(recorder.owners[1].toObject() == second._ivalue());
}

TEST_CASE("several threads may call one module while it is being attached") {
  Recorder recorder;
  auto module = sae_module("SAE", kReluSource, 8, 32);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int call = 0; call < 50; ++call) run(module, at::ones({5, 8}), 1);
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(recorder.features.size() == 200);
  CHECK(recorder.meetings == 1);
}

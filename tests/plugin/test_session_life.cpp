// Modules and processes that come and go while a session runs.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "plugin/session/process.h"
#include "plugin/store/store_reader.h"
#include "tests/plugin/session_witness.h"

using namespace saetap;
using namespace saetap::testing;

TEST_CASE(
    "instances of one class are sites of their own; only the same decoder come back goes on with a dead one's site") {
  const Folder folder;
  auto* session = new Session(config_for(folder), "test");
  session->start();
  {
    auto first = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
    auto second = first.deepcopy();  // shares type and functions
    run(first, at::randn({4, kWidth}), 0);
    run(second, at::randn({4, kWidth}), 0);
    run(first, at::randn({4, kWidth}), 0);
  }
  auto reloaded = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
  run(reloaded, at::randn({4, kWidth}), 0);
  auto other = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
  other.attr("W_dec").toTensor().detach().normal_();
  run(other, at::randn({4, kWidth}), 0);
  const auto sites = session->sites();
  session->finish();
  REQUIRE(sites.size() == 3);
  CHECK(sites[0].first.name == "ReluSAE.forward.48");
  CHECK(sites[1].first.name == "ReluSAE.forward.48#1");
  CHECK(sites[2].first.name == "ReluSAE.forward.48#2");
  CHECK(sites[0].second.calls == 3);  // two of the first, one of the reloaded
  CHECK(sites[1].second.calls == 1);
  CHECK(sites[2].second.calls == 1);
}

TEST_CASE("frozen modules that come and go leave nothing of their weights behind") {
  const Folder folder;
  auto* session = new Session(config_for(folder), "test");
  session->start();
  std::vector<c10::weak_intrusive_ptr<c10::StorageImpl>> weights;
  for (int turn = 0; turn < 10; ++turn) {
    auto module = frozen(sae_module("ReluSAE", kReluSource, kWidth, kFeatures));
    const auto graph = torch::jit::toGraphFunction(module.get_method("forward").function()).optimized_graph()->copy();
    const auto sites = hooks::find_feature_sites(graph, *module._ivalue());
    weights.emplace_back(sites.at(0).decoder_constant.storage().getWeakStorageImpl());
    run(module, at::randn({4, kWidth}), 0);
  }
  CHECK(std::count_if(weights.begin(), weights.end(), [](const auto& weak) { return !weak.expired(); }) <= 1);
  CHECK(session->sites().size() == 1);  // the same decoder each time
  session->finish();
}

TEST_CASE("a decoder that is no matrix any more, or another callback's lower bar, does no harm") {
  const Folder folder;
  auto config = config_for(folder);
  config.sample_activation_threshold = 1.0;
  auto* session = new Session(config, "test");
  add_witness(*session);  // asks for 0.5 upwards
  session->start();
  auto sae = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
  const auto features = run(sae, at::randn({200, kWidth}), 1).detach();
  sae.setattr("W_dec", at::zeros({3, 2}));
  CHECK(session->checkpoint());
  session->finish();
  const StoreReader store(folder.path());
  for (int64_t f = 0; f < kFeatures; ++f) {
    const auto samples = store.samples(0, static_cast<std::uint32_t>(f), Scope::recent);
    CHECK(samples.size() ==
          static_cast<std::size_t>(std::min<int64_t>(100, features.select(1, f).ge(1.0).sum().item<int64_t>())));
  }
}

TEST_CASE("a forked child records nothing, says nothing and does not hang") {
  const Folder folder;
  auto config = config_for(folder);
  config.save_activation_samples = true;
  std::string why;
  REQUIRE(start_process_session(config, why) == SAETAP_OK);
  auto sae = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
  std::atomic<bool> stop{false};
  const at::NoGradGuard no_grad;
  // A thread of the parent is inside a tap nearly all the time, so locks are held when the process forks.
  std::thread busy([&] {
    const at::NoGradGuard no_grad_here;
    const auto rows = at::randn({512, kWidth});
    while (!stop) sae.forward({rows});
  });
  for (int fork_number = 0; fork_number < 10; ++fork_number) {
    const auto child = fork();
    if (child == 0) {
      alarm(20);  // a child that hangs dies by the signal
      at::set_num_threads(1);
      auto own = sae_module("ChildSAE", kReluSource, kWidth, kFeatures);
      own.forward({at::ones({2, kWidth})});
      _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
  }
  stop = true;
  busy.join();
  REQUIRE(stop_process_session(why) == SAETAP_OK);
  const StoreReader store(folder.path());
  CHECK(store.sites().size() == 1);
}

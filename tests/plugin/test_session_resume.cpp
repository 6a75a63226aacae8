// A session that goes on with an earlier one's store: what it keeps, whose store it takes for its own.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "plugin/session/checkpoint_request.h"
#include "plugin/store/store_reader.h"
#include "tests/core/stored_rows.h"
#include "tests/plugin/session_witness.h"
#include "tests/reliability/fault_record.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

constexpr std::int64_t kLength = 8;

torch::jit::Module relu_sae() {
  return sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
}

Config resumed_config(const Folder& folder) {
  auto config = config_for(folder);
  config.resume = true;
  config.max_samples_per_feature = 3;
  config.random_samples_per_feature = 4;
  config.sample_window_steps = {WindowRule::Kind::fixed, 4};
  config.tokens.source = TokenSourceChoice::told;
  return config;
}

// Steps `first` to `last` of a training whose rows and tokens depend on the step alone.
void record(const Config& config, torch::jit::Module& sae, std::uint64_t first, std::uint64_t last) {
  const auto session = std::make_shared<Session>(config, "test");
  session->start();
  for (auto step = first; step < last; ++step) {
    at::manual_seed(step);
    std::vector<std::int32_t> tokens;
    for (std::int64_t i = 0; i < 4 * kLength; ++i) tokens.push_back(static_cast<std::int32_t>((7 * step + 3 * i) % 50));
    session->set_tokens({tokens, kLength, {}}, {});
    // Ever weaker: what a later window keeps would not pass an earlier one's bars.
    const auto rows = at::randn({4 * kLength, kWidth}) / static_cast<double>(1 + step);
    sae.forward({rows}).toTuple()->elements()[0].toTensor().sum().backward();
  }
  REQUIRE(session->finish() == Session::End::done);
}

std::string store_in(const Folder& folder) {
  return folder.path() + "/samples.saetap";
}

std::vector<std::pair<std::string, std::uint64_t>> sites_in(const Folder& folder) {
  std::vector<std::pair<std::string, std::uint64_t>> sites;
  const StoreReader store(store_in(folder));
  for (const auto& site : store.sites()) sites.emplace_back(site.site.name, site.counts.steps);
  return sites;
}

}  // namespace

TEST_CASE("windows after the one in which a run was resumed keep what they would have kept without that") {
  const Folder whole, pieces;
  auto sae = relu_sae();
  record(resumed_config(whole), sae, 0, 18);
  record(resumed_config(pieces), sae, 0, 6);
  record(resumed_config(pieces), sae, 6, 7);
  record(resumed_config(pieces), sae, 7, 18);
  const auto difference = first_difference(store_in(pieces), store_in(whole));
  CHECK(difference == "");
  CHECK(StoreReader(store_in(pieces)).runs().size() == 3);
  record_fault("resume", "a session stopped in the middle of a window and resumed, over several windows", 2, "nothing");
}

TEST_CASE("another SAE of the same class and shape is not taken for the one in the store") {
  const Folder folder;
  auto first = relu_sae(), second = relu_sae();
  {
    const at::NoGradGuard no_grad;
    second.attr("W_dec").toTensor().copy_(at::randn({kFeatures, kWidth}));  // trained from another seed
  }
  record(resumed_config(folder), first, 0, 5);
  record(resumed_config(folder), second, 0, 3);
  const auto name = sites_in(folder)[0].first;
  using Sites = std::vector<std::pair<std::string, std::uint64_t>>;
  CHECK(sites_in(folder) == Sites{{name, 5}, {name + "@2", 3}});
  record(resumed_config(folder), second, 3, 4);
  record(resumed_config(folder), first, 5, 7);
  CHECK(sites_in(folder) == Sites{{name, 7}, {name + "@2", 4}});
  record_fault("resume", "a store resumed with another SAE of the same class and shape: it gets a place of its own", 1,
               "nothing");
}

TEST_CASE("SAEs of one class and number of features, and of other widths, each go on with their own") {
  const Folder folder;
  auto narrow = relu_sae(), wide = sae_module("ReluSAE", kReluSource, 2 * kWidth, kFeatures);
  const auto train_both = [&](std::vector<torch::jit::Module*> order) {
    const auto session = std::make_shared<Session>(resumed_config(folder), "test");
    session->start();
    for (auto* sae : order) {
      const auto width = sae == &narrow ? kWidth : 2 * kWidth;
      sae->forward({at::randn({4, width})}).toTuple()->elements()[0].toTensor().sum().backward();
    }
    REQUIRE(session->finish() == Session::End::done);
  };
  train_both({&narrow, &wide});
  train_both({&wide, &wide, &narrow});
  const StoreReader store(store_in(folder));
  REQUIRE(store.sites().size() == 2);
  CHECK(store.sites()[0].site.d_in == kWidth);
  CHECK(store.sites()[0].counts.steps == 2);
  CHECK(store.sites()[1].site.d_in == 2 * kWidth);
  CHECK(store.sites()[1].counts.steps == 3);
}

TEST_CASE("a rank that ends before it meets an SAE leaves what its store holds") {
  ::setenv("RANK", "0", 1);
  ::setenv("WORLD_SIZE", "2", 1);
  const Folder folder;
  const std::string path = folder.path() + "/rank0/samples.saetap";
  auto sae = relu_sae();
  auto config = resumed_config(folder);
  record(config, sae, 0, 5);
  record(config, sae, 5, 5);  // raised before its first call
  CHECK(StoreReader(path).sites().at(0).counts.steps == 5);
  CHECK(StoreReader(path).runs().size() == 2);
  record(config, sae, 5, 7);
  CHECK(StoreReader(path).sites().at(0).counts.steps == 7);
  // Killed, and started anew without going on: the store is moved aside only by one that has something to save.
  Database(path, Database::Mode::read_write).execute("UPDATE meta SET value = '0' WHERE key = 'finished'");
  config.resume = false;
  record(config, sae, 0, 0);
  CHECK(StoreReader(path).sites().at(0).counts.steps == 7);
  record(config, sae, 0, 1);
  CHECK(StoreReader(path).sites().at(0).counts.steps == 1);
  ::unsetenv("RANK");
  ::unsetenv("WORLD_SIZE");
}

TEST_CASE("a store that goes away before the first call costs no SAE its recording") {
  const Folder folder;
  auto sae = relu_sae();
  record(resumed_config(folder), sae, 0, 5);
  const auto session = std::make_shared<Session>(resumed_config(folder), "test");
  session->start();
  std::filesystem::remove(store_in(folder));
  sae.forward({at::randn({4, kWidth})}).toTuple()->elements()[0].toTensor().sum().backward();
  REQUIRE(session->finish() == Session::End::done);
  CHECK(sites_in(folder).at(0).second == 1);
}

TEST_CASE("a store that was kept with other rules for what counts is not gone on with") {
  const Folder folder;
  auto sae = relu_sae();
  auto config = resumed_config(folder);
  record(config, sae, 0, 5);
  config.tokens.ignore_first_positions = 1;
  record(config, sae, 5, 7);
  REQUIRE(sites_in(folder).size() == 1);
  CHECK(sites_in(folder)[0].second == 2);
}

TEST_CASE("only an empty file asks for a checkpoint: one of the program's own is left alone") {
  const Folder folder;
  const std::string path = folder.path() + "/checkpoint";
  const auto asks = [&] {
    CheckpointRequest request(folder.path());
    const bool asked = request.look();
    request.done();
    return asked;
  };
  CHECK_FALSE(asks());
  std::ofstream(path) << "weights";
  CHECK_FALSE(asks());
  CHECK(std::filesystem::file_size(path) == 7);
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  CHECK_FALSE(asks());
  CHECK(std::filesystem::is_directory(path));
  std::filesystem::remove(path);
  std::filesystem::create_symlink("elsewhere", path);
  std::ofstream(folder.path() + "/elsewhere").flush();
  CHECK_FALSE(asks());
  CHECK(std::filesystem::is_symlink(path));
  std::filesystem::remove(path);
  std::ofstream(path).flush();
  CHECK(asks());
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("the program's own text of tokens is asked for at a stop, and not any more when the program exits") {
  for (const auto ending : {Session::Ending::stop, Session::Ending::at_exit}) {
    const Folder folder;
    auto config = config_for(folder);
    config.tokens.source = TokenSourceChoice::told;
    auto sae = relu_sae();
    const auto session = std::make_shared<Session>(config, "test");
    session->start();
    std::atomic<int> asked{0};
    session->set_token_text([&](std::int32_t id) -> std::optional<std::string> {
      ++asked;
      return std::to_string(id);
    });
    const std::vector<std::int32_t> tokens{1, 2, 3, 4};
    session->set_tokens({tokens, 4, {}}, {});
    sae.forward({at::randn({4, kWidth})}).toTuple()->elements()[0].toTensor().sum().backward();
    REQUIRE(session->finish(ending) == Session::End::done);
    CHECK((asked > 0) == (ending == Session::Ending::stop));
  }
}

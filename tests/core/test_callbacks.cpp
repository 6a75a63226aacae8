// The built-in callbacks, and how a config chooses them.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "plugin/callbacks/json_lines.h"
#include "plugin/callbacks/progress_lines.h"
#include "plugin/collect/callback_set.h"
#include "plugin/config.h"
#include "tests/core/pipeline.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

CallbackChoice chosen(const std::string& list) {
  return parse_config(R"({"saetap": {"callbacks": )" + list + "}}").callbacks;
}

std::string refusal(const std::string& list) {
  try {
    (void)chosen(list);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

std::vector<nlohmann::json> lines_of(const std::string& path) {
  std::vector<nlohmann::json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

// A call with two rows of three features; feature 1 is the largest, and negative.
struct OneBatch {
  Site site = [] {
    Site made;
    made.id = 4;
    made.name = "sae.forward.3";
    made.module_type = "Sae";
    made.method = "forward";
    made.description = "features enter \xFF W_dec";  // no UTF-8
    made.features = 3;
    made.d_in = 2;
    made.d_out = 2;
    return made;
  }();
  KnownSequences tokens;
  SequenceId sequence = tokens.add({7, 8});
  std::vector<TokenPosition> positions{{sequence, 0}, {5, 12}};
  std::vector<FeatureSums> sums = std::vector<FeatureSums>(3);
  std::vector<RangeScan> found = std::vector<RangeScan>(2);

  OneBatch() {
    sums[0] = {3.0, 5.0, 2.0f, 2, 0, 0};
    sums[1] = {-4.0, 16.0, -4.0f, 1, 1, 1};
    found[0].candidates = {{0, 0, 1.0f}, {1, 0, 2.0f}};
    found[1].candidates = {{0, 1, -4.0f}};
  }
  [[nodiscard]] Batch at(std::uint64_t step) const {
    return {site, step, Phase::eval, 2, 2, positions, sums, found, tokens};
  }
};

}  // namespace

TEST_CASE("callbacks: what a config chooses") {
  const Config usual = parse_config("{}");
  CHECK(usual.callbacks.top_samples);
  CHECK(usual.callbacks.random_samples);
  CHECK_FALSE(usual.callbacks.jsonl.has_value());
  CHECK_FALSE(usual.callbacks.progress.has_value());

  const auto beside = chosen(R"([{"name": "jsonl", "options": {"path": "x.jsonl", "every": 10, "samples": true}},
                                 {"name": "progress", "options": {"seconds": 5}}])");
  CHECK(beside.top_samples);
  CHECK(beside.random_samples);
  REQUIRE(beside.jsonl.has_value());
  CHECK(beside.jsonl->path == "x.jsonl");
  CHECK(beside.jsonl->every == 10);
  CHECK(beside.jsonl->samples);
  REQUIRE(beside.progress.has_value());
  CHECK(beside.progress->seconds == 5);

  const auto one = chosen(R"([{"name": "random_samples"}, {"name": "progress"}])");
  CHECK_FALSE(one.top_samples);
  CHECK(one.random_samples);
  CHECK(one.progress->seconds == 60);
  const auto none = chosen(R"([{"name": "statistics", "options": {}}])");
  CHECK_FALSE(none.top_samples);
  CHECK_FALSE(none.random_samples);
  CHECK(chosen("[]").top_samples);
}

TEST_CASE("callbacks: what is wrong is said with its place") {
  for (const auto& one : std::vector<std::pair<std::string, std::string>>{
           {"{}", "\"saetap.callbacks\": got an object, allowed is a list"},
           {R"([{}])", "\"saetap.callbacks[0]\""},
           {R"(["jsonl"])", "\"saetap.callbacks[0]\""},
           {R"([{"name": "json"}])", "\"saetap.callbacks[0].name\": got \"json\", allowed is one of \"top_samples\""},
           {R"([{"name": "progress"}, {"name": "progress"}])", "\"saetap.callbacks[1].name\""},
           {R"([{"name": "progress", "seconds": 3}])", "\"saetap.callbacks[0].seconds\""},
           {R"([{"name": "progress", "options": {"seconds": 0}}])", "\"saetap.callbacks[0].options.seconds\": got 0"},
           {R"([{"name": "progress", "options": {"second": 1}}])", "allowed is the option \"seconds\""},
           {R"([{"name": "jsonl", "options": {"every": 0}}])", "\"saetap.callbacks[0].options.every\""},
           {R"([{"name": "jsonl", "options": {"path": ""}}])", "\"saetap.callbacks[0].options.path\""},
           {R"([{"name": "jsonl", "options": []}])", "an object"},
           {R"([{"name": "top_samples", "options": {"k": 3}}])", "has no options"}}) {
    CAPTURE(one.first);
    CHECK(refusal(one.first).find(one.second) != std::string::npos);
  }
}

TEST_CASE("callbacks: without top_samples a store has statistics and random samples, and no strongest ones") {
  CollectorOptions options;
  options.max_samples_per_feature = 0;
  options.sample_activation_threshold = 0;
  options.window_rule = {WindowRule::Kind::fixed, 1};
  Pipeline pipeline(4, options);
  for (std::uint64_t step = 0; step < 4; ++step) {
    pipeline.sequence(step, {1, 2, static_cast<std::int32_t>(step)}, {{1, 0, 2, 0}, {0, 0, 3, 0}, {5, 0, 0, 0}});
    pipeline.checkpoint();
  }
  const StoreReader store = pipeline.saved();
  for (const Scope scope : {Scope::recent, Scope::all_time}) {
    const bool all = scope == Scope::all_time;
    CHECK(store.statistics(0, scope).at(0).active == (all ? 8 : 4));
    CHECK(store.samples(0, 0, scope).empty());
    CHECK(store.random_samples(0, 0, scope).size() == (all ? 8 : 4));
  }
}

TEST_CASE("callbacks: jsonl writes a line for each event, to a file of its owner's") {
  const TemporaryFolder folder;
  const std::string path = folder.file("made/for it/events.jsonl");
  const OneBatch one;
  {
    JsonLines callback({"", 1, true}, path, "run-1");
    callback.on_attach(one.site);
    callback.on_batch(one.at(3));
    callback.on_step({one.site, 3, true});
    callback.on_checkpoint({true, {}, {}, {}, {}});
    callback.on_finish();
  }
  const auto lines = lines_of(path);
  REQUIRE(lines.size() == 8);
  CHECK(lines[0].at("event") == "attach");
  CHECK(lines[0].at("site") == "sae.forward.3");
  CHECK(lines[0].at("run") == "run-1");
  CHECK(lines[0].at("features") == 3);
  CHECK(lines[1] == nlohmann::json::parse(R"({"event": "batch", "site": "sae.forward.3", "step": 3, "phase": "eval",
      "rows": 2, "eligible": 2, "active": 3, "l0": 1.5, "max": -4.0, "nonfinite": 1, "candidates": 3})"));
  CHECK(lines[2].at("event") == "sample");
  CHECK(lines[2].at("sequence").get<std::string>().size() == 16);
  CHECK(lines[2].at("has_token") == true);
  CHECK(lines[3] == nlohmann::json::parse(R"({"event": "sample", "site": "sae.forward.3", "step": 3, "feature": 0,
      "activation": 2.0, "sequence": "0000000000000005", "position": 12, "has_token": false})"));
  CHECK(lines[4].at("feature") == 1);
  CHECK(lines[5] ==
        nlohmann::json::parse(R"({"event": "step", "site": "sae.forward.3", "step": 3, "collected": true})"));
  CHECK(lines[6] == nlohmann::json::parse(R"({"event": "checkpoint", "last": true})"));
  CHECK(lines[7] == nlohmann::json::parse(R"({"event": "finish"})"));
  struct stat file {
  }, made{};
  REQUIRE(::stat(path.c_str(), &file) == 0);
  REQUIRE(::stat(folder.file("made/for it").c_str(), &made) == 0);
  CHECK((file.st_mode & 0777) == 0600);
  CHECK((made.st_mode & 0777) == 0700);

  // What is there is added to; every third call only.
  JsonLines sparing({"", 3, false}, path, "run-2");
  for (std::uint64_t step = 0; step < 7; ++step) {
    sparing.on_batch(one.at(step));
    sparing.on_step({one.site, step, true});
  }
  const auto more = lines_of(path);
  REQUIRE(more.size() == 8 + 6);
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(more[8 + i].at("step") == i / 2 * 3);
    CHECK(more[8 + i].at("event") == (i % 2 == 0 ? "batch" : "step"));
  }
}

TEST_CASE("callbacks: jsonl that cannot write is switched off, and the others go on") {
  const TemporaryFolder folder;
  std::ofstream(folder.file("a file")) << "in the way";
  std::vector<std::string> said;
  CallbackSet callbacks([&](const std::string& line) { said.push_back(line); });
  callbacks.add("jsonl", std::make_shared<JsonLines>(JsonLinesOptions{}, folder.file("a file/events.jsonl"), "run"));
  int finished = 0;
  struct Counts : Callback {
    int* finished = nullptr;
    void on_finish() override { ++*finished; }
  };
  auto counts = std::make_shared<Counts>();
  counts->finished = &finished;
  callbacks.add("counts", counts);
  const OneBatch one;
  callbacks.attach(one.site);
  callbacks.batch(one.at(0));
  callbacks.finish();
  REQUIRE(said.size() == 1);
  CHECK(said[0].find("callback jsonl switched off, it failed in on_attach: ") == 0);
  CHECK(finished == 1);
  // Nothing was met: no file.
  JsonLines idle({}, folder.file("idle.jsonl"), "run");
  idle.on_checkpoint({true, {}, {}, {}, {}});
  idle.on_finish();
  CHECK_FALSE(std::filesystem::exists(folder.file("idle.jsonl")));
}

TEST_CASE("callbacks: after half a line nothing more is written") {
  const TemporaryFolder folder;
  const OneBatch one;
  struct rlimit before {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  ::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small { 300, before.rlim_max };
  JsonLines callback({}, folder.file("events.jsonl"), "run");
  callback.on_attach(one.site);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  CHECK_THROWS_AS(callback.on_batch(one.at(0)), std::runtime_error);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK(std::filesystem::file_size(folder.file("events.jsonl")) == 300);
  callback.on_finish();
  CHECK(std::filesystem::file_size(folder.file("events.jsonl")) == 300);
}

TEST_CASE("callbacks: progress of calls without gradients, which end no step") {
  std::vector<std::string> said;
  auto now = ProgressLines::Clock::time_point{};
  ProgressLines callback(
      {10}, [&](const std::string& line) { said.push_back(line); }, [&] { return now; });
  const OneBatch one;
  callback.on_attach(one.site);
  for (int call = 0; call < 25; ++call) {
    now += std::chrono::seconds(1);
    callback.on_batch(one.at(0));
  }
  REQUIRE(said.size() == 2);
  CHECK(said[1].find("step 0, 0 a second · 40 tokens") != std::string::npos);
}

TEST_CASE("callbacks: progress says a line when its time has come") {
  std::vector<std::string> said;
  auto now = ProgressLines::Clock::time_point{};
  ProgressLines callback(
      {10}, [&](const std::string& line) { said.push_back(line); }, [&] { return now; });
  const OneBatch one;
  callback.on_attach(one.site);
  for (std::uint64_t step = 0; step < 20; ++step) {
    now += std::chrono::seconds(1);
    callback.on_batch(one.at(step));
    callback.on_batch(one.at(step));  // two calls in a step
    callback.on_step({one.site, step, true});
  }
  CHECK(said == std::vector<std::string>{
                    "progress  sae.forward.3: step 9, 0.9 a second · 38 tokens · L0 1.5 · 1 of 3 features silent since "
                    "the last line",
                    "progress  sae.forward.3: step 19, 1 a second · 78 tokens · L0 1.5 · 1 of 3 features silent since "
                    "the last line"});
}

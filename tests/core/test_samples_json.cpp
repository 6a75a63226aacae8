#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "plugin/store/samples_json.h"
#include "tests/core/pipeline.h"

using namespace saetap;
using saetap::testing::Pipeline;
using saetap::testing::Row;

namespace {

std::string number_words(std::span<const std::int32_t> tokens) {
  std::string text;
  for (const std::int32_t token : tokens) text.append(std::to_string(token)).append(" ");
  return text;
}

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void train(Pipeline& pipeline) {
  std::mt19937 random(3);
  for (std::uint64_t step = 0; step < 30; ++step) {
    std::vector<std::int32_t> tokens;
    std::vector<Row> rows;
    for (int i = 0; i < 20; ++i) {
      tokens.push_back(static_cast<std::int32_t>(random() % 500));
      Row row;
      for (int feature = 0; feature < 12; ++feature) {
        row.push_back(random() % 4 == 0 && feature != 5 ? static_cast<float>(random() % 1000) / 77.0f : 0.0f);
      }
      rows.push_back(row);
    }
    pipeline.sequence(step, tokens, rows);
  }
  Row strong(12, 20.0f);
  strong[5] = 0;
  pipeline.batch(30, {strong}, {{77, 3}});  // a row whose tokens nobody knows
}

}  // namespace

TEST_CASE("the store and samples.json read back to the same content") {
  CollectorOptions options;
  options.max_samples_per_feature = 15;
  options.sample_context_size = 4;
  options.window_rule = {WindowRule::Kind::fixed, 7};
  Pipeline pipeline(12, options);
  train(pipeline);
  const StoreReader store = pipeline.saved();
  for (const Scope scope : {Scope::recent, Scope::all_time}) {
    const std::string path = pipeline.folder.file("samples.json");
    SamplesJsonOptions json_options;
    json_options.top_features = 8;
    json_options.samples_per_feature = 6;
    json_options.scope = scope;
    json_options.decode = number_words;
    write_samples_json(store, path, json_options);
    const SamplesJson json = read_samples_json(path);
    CHECK(json.scope == scope);
    CHECK(json.max_samples_per_feature == 15);
    CHECK(json.sample_context_size == 4);
    CHECK(json.sample_activation_threshold == 0.1f);
    REQUIRE(json.sites.size() == 1);
    CHECK(json.sites[0].name == "sae.forward.0");
    CHECK(json.sites[0].features == 12);
    REQUIRE(json.sites[0].top_features.size() == 8);
    const auto statistics = store.statistics(0, scope);
    const ScopeFacts& facts = scope == Scope::recent ? store.sites()[0].recent : store.sites()[0].all_time;
    for (const JsonFeature& feature : json.sites[0].top_features) {
      const FeatureStatistics& of = statistics[feature.feature];
      CHECK(feature.active_count == of.active);
      CHECK(feature.density == of.density(facts.eligible));
      CHECK(feature.max == of.max);
      CHECK(feature.mean == of.mean());
      CHECK(feature.std == of.standard_deviation());
      const std::vector<Sample> samples = store.samples(0, feature.feature, scope);
      REQUIRE(feature.samples.size() == 6);
      for (std::size_t i = 0; i < 6; ++i) {
        const JsonSample& read = feature.samples[i];
        CHECK(read.sample == samples[i]);
        const Context context = store.context(samples[i], 4, 4);
        CHECK(read.context_token_ids == context.tokens);
        CHECK(read.activating_index == context.activating);
        CHECK(read.context_text == number_words(context.tokens));
        if (context.tokens.empty()) continue;
        CHECK(read.token_id == context.tokens[context.activating]);
        CHECK(read.text == number_words(std::span(&read.token_id, 1)));
        const auto around = store.context_activations(0, feature.feature, scope, std::span(&samples[i], 1)).front();
        const auto along = activations_along(samples[i], around, 4, context.tokens.size(), context.activating);
        CHECK(std::equal(along.begin(), along.end(), read.context_activations.begin(), read.context_activations.end()));
      }
    }
  }
}

TEST_CASE("samples.json as it stands in the file") {
  CollectorOptions options;
  options.sample_context_size = 1;
  Pipeline pipeline(3, options);
  pipeline.sequence(4, {7, 8, 9}, {{0, 0, 0}, {0, 2.5f, 0}, {0, 0.5f, 1}});
  pipeline.batch(5, {{0, 3.0f, 0}}, {{77, 12}});
  const StoreReader store = pipeline.saved();
  const std::string path = pipeline.folder.file("samples.json");
  write_samples_json(store, path, {});
  const auto json = nlohmann::json::parse(text_of(path));
  CHECK(json["format"] == "saetap samples");
  CHECK(json["format_version"] == 1);
  CHECK(json["scope"] == "recent");
  CHECK(json["config"]["sample_context_size"] == 1);
  CHECK(json["sites"][0]["tokens_counted"] == 4);
  CHECK(json["sites"][0]["tokens_collected"] == 4);
  const auto& features = json["sites"][0]["top_features"];
  REQUIRE(features.size() == 2);
  CHECK(features[0]["feature"] == 1);
  CHECK(features[0]["statistics"] ==
        nlohmann::json::parse(
            R"({"active_count": 3, "density": 0.75, "max": 3.0, "mean": 2.0, "std": 1.0801234497346435})"));
  CHECK(features[0]["samples"][0] == nlohmann::json::parse(R"({"activation": 3.0, "token_id": null, "text": null,
    "context_token_ids": null, "context_text": null, "activating_index": null, "context_activations": null, "sequence": "77", "position": 12, "step": 5})"));
  const std::string id = std::to_string(sequence_id(std::vector<std::int32_t>{7, 8, 9}));
  CHECK(features[0]["samples"][1] == nlohmann::json::parse(R"({"activation": 2.5, "token_id": 8, "text": null,
    "context_token_ids": [7, 8, 9], "context_text": null, "activating_index": 1, "context_activations": [0.0, 2.5, 0.5],
    "sequence": ")" + id + R"(", "position": 1,
    "step": 4})"));
  CHECK(features[1]["feature"] == 2);
}

TEST_CASE("features are ranked as asked for, equal ones by number") {
  Pipeline pipeline(4);
  pipeline.sequence(0, {1, 2, 3}, {{5, 4, 1, 4}, {1, 4, 1, 4}, {0, 0, 1, 0}});
  const StoreReader store = pipeline.saved();
  const std::string path = pipeline.folder.file("samples.json");
  const auto ranked = [&](RankBy by) {
    SamplesJsonOptions options;
    options.rank_by = by;
    write_samples_json(store, path, options);
    std::vector<std::uint32_t> order;
    const SamplesJson json = read_samples_json(path);
    for (const JsonFeature& feature : json.sites[0].top_features) order.push_back(feature.feature);
    return order;
  };
  CHECK(ranked(RankBy::max_activation) == std::vector<std::uint32_t>{0, 1, 3, 2});
  CHECK(ranked(RankBy::mean) == std::vector<std::uint32_t>{1, 3, 0, 2});
  CHECK(ranked(RankBy::count) == std::vector<std::uint32_t>{2, 0, 1, 3});
  CHECK(ranked(RankBy::density) == std::vector<std::uint32_t>{2, 0, 1, 3});
}

TEST_CASE("text that is not valid UTF-8 is replaced, and the file stays valid JSON") {
  Pipeline pipeline(1);
  pipeline.sequence(0, {1}, {{1.0f}});
  const StoreReader store = pipeline.saved();
  const std::string path = pipeline.folder.file("samples.json");
  SamplesJsonOptions options;
  options.decode = [](std::span<const std::int32_t>) { return std::string("\xE6\x96 end"); };
  write_samples_json(store, path, options);
  CHECK(read_samples_json(path).sites[0].top_features[0].samples[0].text == "\xEF\xBF\xBD end");
}

TEST_CASE("a samples.json that cannot be read or written is a StoreError") {
  Pipeline pipeline(1);
  pipeline.sequence(0, {1}, {{1.0f}});
  const StoreReader store = pipeline.saved();
  const std::string path = pipeline.folder.file("samples.json");
  CHECK_THROWS_AS(write_samples_json(store, pipeline.folder.file("no/samples.json"), {}), StoreError);
  CHECK_THROWS_WITH_AS((void)read_samples_json(path), (path + ": cannot be read (No such file or directory)").c_str(),
                       StoreError);
  for (const char* text : {"", "{", "[]", "{\"format\": \"other\"}", "{\"format\": \"saetap samples\"}"}) {
    std::ofstream(path) << text;
    CHECK_THROWS_AS((void)read_samples_json(path), StoreError);
  }
  write_samples_json(store, path, {});
  CHECK(read_samples_json(path).sites.size() == 1);
}

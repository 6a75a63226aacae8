// The test cases of the original system, under their names. Tokens are words, numbered in the order of their first use.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/core/pipeline.h"

using namespace saetap;
using saetap::testing::Pipeline;
using saetap::testing::Row;

namespace {

class Words {
 public:
  std::vector<std::int32_t> tokens(const std::string& sentence) {
    std::istringstream stream(sentence);
    std::vector<std::int32_t> ids;
    for (std::string word; stream >> word;) {
      ids.push_back(ids_.try_emplace(word, static_cast<std::int32_t>(ids_.size())).first->second);
      if (static_cast<std::size_t>(ids.back()) == words_.size()) words_.push_back(word);
    }
    return ids;
  }
  std::string text(const std::vector<std::int32_t>& tokens) const {
    std::string joined;
    for (const std::int32_t token : tokens)
      joined += (joined.empty() ? "" : " ") + words_.at(static_cast<std::size_t>(token));
    return joined;
  }

 private:
  std::map<std::string, std::int32_t> ids_;
  std::vector<std::string> words_;
};

// Feature f fires on the words of its list, as strongly as the list says.
using Lexicon = std::vector<std::map<std::string, float>>;

std::vector<Row> activations(const std::string& sentence, const Lexicon& lexicon) {
  std::istringstream stream(sentence);
  std::vector<Row> rows;
  for (std::string word; stream >> word;) {
    Row row;
    for (const auto& fires : lexicon) row.push_back(fires.contains(word) ? fires.at(word) : 0.0f);
    rows.push_back(row);
  }
  return rows;
}

void read(Pipeline& pipeline, Words& words, const std::vector<std::string>& sentences, const Lexicon& lexicon) {
  std::uint64_t step = 0;
  for (const std::string& sentence : sentences) {
    pipeline.sequence(step++, words.tokens(sentence), activations(sentence, lexicon));
  }
}

std::string activating_word(const StoreReader& store, const Words& words, const Sample& sample) {
  const Context context = store.context(sample, 0, 0);
  return words.text(context.tokens);
}

std::string sentence_of(const StoreReader& store, const Words& words, const Sample& sample) {
  return words.text(store.context(sample, 20, 20).tokens);
}

std::vector<float> activations_of(const std::vector<Sample>& samples) {
  std::vector<float> values;
  for (const Sample& sample : samples) values.push_back(sample.activation);
  return values;
}

const std::vector<std::string> kPets{"the cat sat on the mat", "a dog ran after the ball",  "my cat drinks milk",
                                     "the dog barks at night", "we saw a kitten in a tree", "the puppy sleeps"};
const Lexicon kPetFeatures{{{"cat", 3.0f}, {"kitten", 2.5f}}, {{"dog", 4.0f}, {"puppy", 3.5f}}, {}};

}  // namespace

TEST_CASE("basic collection") {
  Pipeline pipeline(3);
  Words words;
  read(pipeline, words, kPets, kPetFeatures);
  const StoreReader store = pipeline.saved();
  const std::vector<Sample> samples = store.samples(0, 0, Scope::recent);
  REQUIRE(samples.size() == 3);
  CHECK(activating_word(store, words, samples[0]) == "cat");
  CHECK(activating_word(store, words, samples[2]) == "kitten");
  CHECK(sentence_of(store, words, samples[2]) == "we saw a kitten in a tree");
  CHECK(samples[2].step == 4);
  CHECK(samples[2].position == 3);
}

TEST_CASE("heap limit") {
  CollectorOptions options;
  options.max_samples_per_feature = 5;
  Pipeline pipeline(1, options);
  std::vector<std::int32_t> tokens(50);
  std::vector<Row> rows;
  for (std::int32_t i = 0; i < 50; ++i) {
    tokens[static_cast<std::size_t>(i)] = i;
    rows.push_back({static_cast<float>((i * 7) % 50 + 1)});  // 1 to 50, each once
  }
  pipeline.sequence(0, tokens, rows);
  CHECK(activations_of(pipeline.saved().samples(0, 0, Scope::recent)) == std::vector<float>{50, 49, 48, 47, 46});
}

TEST_CASE("threshold filter") {
  CollectorOptions options;
  options.sample_activation_threshold = 0.5f;
  Pipeline pipeline(1, options);
  pipeline.sequence(0, {1, 2, 3, 4}, {{0.49f}, {0.5f}, {0.0f}, {0.9f}});
  const StoreReader store = pipeline.saved();
  CHECK(activations_of(store.samples(0, 0, Scope::recent)) == std::vector<float>{0.9f, 0.5f});
  CHECK(store.statistics(0, Scope::recent)[0].active == 3);  // statistics are of everything active
}

TEST_CASE("context extraction") {
  CollectorOptions options;
  options.sample_context_size = 2;
  Pipeline pipeline(3, options);
  Words words;
  const std::string sentence = "one two three four five six seven";
  pipeline.sequence(0, words.tokens(sentence),
                    activations(sentence, {{{"four", 1.0f}}, {{"one", 1.0f}}, {{"seven", 1.0f}}}));
  const StoreReader store = pipeline.saved();
  const auto context = [&](std::uint32_t feature) {
    return store.context(store.samples(0, feature, Scope::recent).at(0), 2, 2);
  };
  CHECK(words.text(context(0).tokens) == "two three four five six");
  CHECK(context(0).activating == 2);
  CHECK_FALSE(context(0).at_start);
  CHECK_FALSE(context(0).at_end);
  CHECK(words.text(context(1).tokens) == "one two three");
  CHECK(context(1).activating == 0);
  CHECK(context(1).at_start);
  CHECK(words.text(context(2).tokens) == "five six seven");
  CHECK(context(2).activating == 2);
  CHECK(context(2).at_end);
}

TEST_CASE("save and load") {
  Pipeline pipeline(3);
  pipeline.decoder = {
      0x3C00, 0, 0, 0, 0x4000, 0, 0, 0, 0xBC00,
  };
  Words words;
  read(pipeline, words, kPets, kPetFeatures);
  const StoreReader store = pipeline.saved();
  REQUIRE(store.sites().size() == 1);
  const StoredSite& site = store.sites()[0];
  CHECK(site.site.name == "sae.forward.0");
  CHECK(site.site.module_type == "TopKSae");
  CHECK(site.site.method == "forward");
  CHECK(site.site.description == "features enter W_dec");
  CHECK(site.site.features == 3);
  CHECK(site.counts.rows_seen == 40);
  CHECK(site.counts.calls == 4);
  CHECK(site.recent.eligible == 31);  // the words of kPets
  CHECK(site.recent.last_step == 5);
  CHECK(site.has_decoder);
  CHECK(store.decoder_directions(0) == std::vector<float>{1, 0, 0, 0, 2, 0, 0, 0, -1});
  CHECK(store.run().program == "./train --fast");
  CHECK(store.run().libtorch_version == "2.13.0");
  CHECK(store.run().tokenizer == "/models/tokenizer.json");
  CHECK(store.run().max_samples_per_feature == 100);
  CHECK(store.run().sample_activation_threshold == 0.1f);
  CHECK(store.run().finished);
  CHECK(activations_of(store.samples(0, 1, Scope::all_time)) == std::vector<float>{4, 4, 3.5f});
}

TEST_CASE("top-k retrieval sorted") {
  Pipeline pipeline(1);
  pipeline.sequence(0, {1, 2, 3, 4, 5}, {{2.0f}, {9.0f}, {4.0f}, {7.0f}, {1.0f}});
  pipeline.sequence(1, {6, 7}, {{8.0f}, {3.0f}});
  CHECK(activations_of(pipeline.saved().samples(0, 0, Scope::recent)) == std::vector<float>{9, 8, 7, 4, 3, 2, 1});
}

TEST_CASE("statistics") {
  Pipeline pipeline(2);
  pipeline.sequence(0, {1, 2, 3, 4, 5}, {{2, 0}, {4, 0}, {0, 0}, {4, 0}, {4, 0}});
  pipeline.sequence(1, {6, 7, 8, 9, 10}, {{5, 0}, {5, 0}, {0, 0}, {7, 0}, {9, 0}});
  const FeatureStatistics statistics = pipeline.saved().statistics(0, Scope::recent)[0];
  CHECK(statistics.active == 8);
  CHECK(statistics.max == 9);
  CHECK(statistics.mean() == 5);
  CHECK(statistics.standard_deviation() == 2);
  CHECK(statistics.density(10) == 0.8);
}

TEST_CASE("interpretability pattern") {
  Pipeline pipeline(3);
  Words words;
  read(pipeline, words, kPets, kPetFeatures);
  const StoreReader store = pipeline.saved();
  const auto sentences = [&](std::uint32_t feature) {
    std::vector<std::string> found;
    for (const Sample& sample : store.samples(0, feature, Scope::recent))
      found.push_back(sentence_of(store, words, sample));
    std::sort(found.begin(), found.end());
    return found;
  };
  CHECK(sentences(0) == std::vector<std::string>{kPets[2], kPets[0], kPets[4]});
  CHECK(sentences(1) == std::vector<std::string>{kPets[1], kPets[3], kPets[5]});
}

TEST_CASE("specialization") {
  Pipeline pipeline(3);
  Words words;
  const std::vector<std::string> sentences{"red 7 run", "blue 12 jump", "green 3 walk"};
  read(pipeline, words, sentences,
       {{{"red", 1}, {"blue", 2}, {"green", 3}},
        {{"7", 1}, {"12", 2}, {"3", 3}},
        {{"run", 1}, {"jump", 2}, {"walk", 3}}});
  const StoreReader store = pipeline.saved();
  const std::vector<std::vector<std::string>> expected{
      {"green", "blue", "red"}, {"3", "12", "7"}, {"walk", "jump", "run"}};
  for (std::uint32_t feature = 0; feature < 3; ++feature) {
    std::vector<std::string> found;
    for (const Sample& sample : store.samples(0, feature, Scope::recent)) {
      found.push_back(activating_word(store, words, sample));
    }
    CHECK(found == expected[feature]);
  }
}

TEST_CASE("activation distributions") {
  Pipeline pipeline(3);  // sparse and strong, dense and weak, never
  std::vector<std::int32_t> tokens(100);
  std::vector<Row> rows;
  for (std::int32_t i = 0; i < 100; ++i) {
    tokens[static_cast<std::size_t>(i)] = i;
    rows.push_back({i % 20 == 0 ? 8.0f : 0.0f, i % 2 == 0 ? 0.25f : 0.5f, 0.0f});
  }
  pipeline.sequence(0, tokens, rows);
  const std::vector<FeatureStatistics> statistics = pipeline.saved().statistics(0, Scope::recent);
  CHECK(statistics[0].density(100) == 0.05);
  CHECK(statistics[0].mean() == 8);
  CHECK(statistics[0].standard_deviation() == 0);
  CHECK(statistics[1].density(100) == 1);
  CHECK(statistics[1].mean() == 0.375);
  CHECK(statistics[1].standard_deviation() == 0.125);
  CHECK(statistics[2] == FeatureStatistics{});
}

TEST_CASE("empty batch") {
  Pipeline pipeline(2);
  pipeline.batch(0, {}, {});
  CHECK(pipeline.saved().samples(0, 0, Scope::recent).empty());
  pipeline.sequence(1, {4, 5}, {{1.0f, 0.0f}, {0.0f, 2.0f}});
  pipeline.batch(2, {}, {});
  CHECK(pipeline.saved().samples(0, 0, Scope::recent).size() == 1);
}

TEST_CASE("single token") {
  Pipeline pipeline(1);
  pipeline.sequence(0, {42}, {{1.5f}});
  const StoreReader store = pipeline.saved();
  const std::vector<Sample> samples = store.samples(0, 0, Scope::recent);
  REQUIRE(samples.size() == 1);
  const Context context = store.context(samples[0], 20, 20);
  CHECK(context.tokens == std::vector<std::int32_t>{42});
  CHECK(context.activating == 0);
  CHECK(context.at_start);
  CHECK(context.at_end);
}

TEST_CASE("missing feature") {
  Pipeline pipeline(2);
  pipeline.sequence(0, {1}, {{1.0f, 0.0f}});
  const StoreReader store = pipeline.saved();
  CHECK(store.samples(0, 1, Scope::recent).empty());
  const std::string reason = store.path() + ": no feature 2; the site has features 0 to 1";
  CHECK_THROWS_WITH_AS((void)store.samples(0, 2, Scope::recent), reason.c_str(), StoreError);
}

TEST_CASE("clear") {
  Pipeline pipeline(1);
  pipeline.sequence(0, {1, 2}, {{5.0f}, {6.0f}});
  pipeline.collector.clear();
  CHECK(pipeline.collector.sequences().segments().empty());
  CHECK(pipeline.saved().samples(0, 0, Scope::all_time).empty());
  CHECK(pipeline.saved().statistics(0, Scope::all_time)[0].active == 0);
  pipeline.sequence(1, {3}, {{2.0f}});
  CHECK(activations_of(pipeline.saved().samples(0, 0, Scope::all_time)) == std::vector<float>{2});
}

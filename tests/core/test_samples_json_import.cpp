#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "plugin/store/samples_json.h"
#include "plugin/store/samples_json_import.h"
#include "tests/core/file_bytes.h"
#include "tests/core/rich_store.h"

using namespace saetap;
using saetap::testing::bytes_of;
using saetap::testing::Pipeline;
using saetap::testing::RichRun;
using saetap::testing::Row;
using saetap::testing::TemporaryFolder;
using saetap::testing::write_bytes;

namespace {

using Text = std::map<std::pair<SequenceId, std::uint64_t>, std::int32_t>;

Text text_of(const StoreReader& store) {
  Text text;
  store.each_segment([&](const StoredSegment& segment) {
    for (std::size_t i = 0; i < segment.tokens.size(); ++i) {
      text[{segment.sequence, segment.first + i}] = segment.tokens[i];
    }
  });
  return text;
}

// The samples.json of a store of one feature, "S", at positions 0 to 19 of one text.
class OneFeature {
 public:
  OneFeature() {
    CollectorOptions options;
    options.sample_context_size = 2;
    Pipeline pipeline(1, options);
    std::vector<std::int32_t> tokens;
    std::vector<Row> rows;
    for (int i = 0; i < 20; ++i) {
      tokens.push_back(100 + i);
      rows.push_back({static_cast<float>(20 - i)});
    }
    pipeline.sequence(0, tokens, rows);
    SamplesJsonOptions wanted;
    wanted.samples_per_feature = 20;
    write_samples_json(pipeline.saved(), path_, wanted);
    json = nlohmann::ordered_json::parse(bytes_of(path_));
  }

  [[nodiscard]] nlohmann::ordered_json& feature() { return json["sites"][0]["top_features"][0]; }
  // Of it as it is now.
  [[nodiscard]] StoreReader imported(const ImportOptions& options = {}) const {
    write_bytes(path_, json.dump());
    import_samples_json(path_, folder_.file("imported.saetap"), options);
    return StoreReader(folder_.file("imported.saetap"));
  }
  // What import says of it, without the path.
  [[nodiscard]] std::string refusal() const {
    try {
      (void)imported();
    } catch (const StoreError& error) {
      return std::string(error.what()).substr(path_.size() + 2);
    }
    return "";
  }

  nlohmann::ordered_json json;

 private:
  TemporaryFolder folder_;
  std::string path_ = folder_.file("samples.json");
};

}  // namespace

TEST_CASE("a store made of a samples.json reads as the one that wrote it, of what the file lists") {
  RichRun run(6);
  run.train(0, 40);
  const StoreReader store = run.saved();
  const std::string json = run.folder.file("samples.json"), path = run.folder.file("imported.saetap");
  for (const Scope scope : {Scope::recent, Scope::all_time}) {
    SamplesJsonOptions options;
    options.top_features = 4;
    options.samples_per_feature = 7;
    options.scope = scope;
    write_samples_json(store, json, options);
    import_samples_json(json, path, {});
    const StoreReader imported(path);
    REQUIRE(imported.run().imported);
    CHECK(imported.run().imported->scope == scope);
    REQUIRE(imported.sites().size() == store.sites().size());
    std::size_t compared = 0;
    for (const StoredSite& site : store.sites()) {
      const int id = site.site.id;
      const auto statistics = store.statistics(id, scope), again = imported.statistics(id, Scope::recent);
      const auto listed = listed_features(statistics, options);
      for (std::uint32_t feature = 0; feature < statistics.size(); ++feature) {
        if (std::ranges::find(listed, feature) == listed.end()) {
          CHECK(again[feature] == FeatureStatistics{});
          continue;
        }
        CHECK(again[feature].active == statistics[feature].active);
        CHECK(again[feature].max == statistics[feature].max);
        CHECK(again[feature].mean() == statistics[feature].mean());
        CHECK(again[feature].standard_deviation() == statistics[feature].standard_deviation());
        std::vector<Sample> samples = store.samples(id, feature, scope);
        samples.resize(std::min<std::size_t>(samples.size(), 7));
        CHECK(imported.samples(id, feature, Scope::recent) == samples);
        CHECK(imported.context_activations(id, feature, Scope::recent, samples) ==
              store.context_activations(id, feature, scope, samples));
        const std::uint32_t size = store.run().sample_context_size;
        for (const Sample& sample : samples) {
          const Context expected = store.context(sample, size, size), found = imported.context(sample, size, size);
          CHECK(found.tokens == expected.tokens);
          CHECK(found.at_start == expected.at_start);
          CHECK((expected.at_end || !found.at_end));  // seen where the text is shorter than asked for
          ++compared;
        }
      }
    }
    CHECK(compared > 10);
    // Nobody sees a token that is not known, nor another one than was there.
    const Text whole = text_of(store), part = text_of(imported);
    CHECK((part.size() > 10 && part.size() < whole.size()));
    for (const auto& [place, token] : part) CHECK(whole.at(place) == token);
  }
}

TEST_CASE("a sample without a context has none, though others tell of the text on both sides of it") {
  OneFeature one;
  auto samples = nlohmann::ordered_json::array();
  for (nlohmann::ordered_json sample : one.feature()["samples"]) {
    const auto position = sample["position"].get<int>();  // 5 tells of 3 to 7, 12 of 10 to 14
    if (position != 5 && position != 8 && position != 12) continue;
    if (position == 8) {
      for (const char* key : {"token_id", "context_token_ids", "activating_index", "context_activations"}) {
        sample[key] = nullptr;
      }
    }
    samples.push_back(sample);
  }
  one.feature()["samples"] = samples;
  const StoreReader store = one.imported();
  const auto kept = store.samples(0, 0, Scope::recent);
  REQUIRE(kept.size() == 3);
  CHECK(store.context(kept[0], 2, 2).tokens == std::vector<std::int32_t>{103, 104, 105, 106, 107});
  CHECK(kept[1].position == 8);
  CHECK(store.context(kept[1], 2, 2).tokens.empty());
  nlohmann::ordered_json again;
  for (const StoredSite& site : store.sites()) {
    again = feature_json(store, site, 0, store.statistics(0, Scope::recent)[0], {});
  }
  CHECK(again["samples"] == samples);
}

TEST_CASE("figures of a feature that contradict the file's others are refused") {
  const OneFeature sound;
  CHECK(sound.refusal().empty());
  OneFeature one;
  one.feature()["statistics"]["active_count"] = 21;
  CHECK(one.refusal() == "not a samples.json of saetap (a feature active on more tokens than were counted)");
  for (const double max : {19.5, -19.5, 0.0}) {
    OneFeature other;
    other.feature()["statistics"]["max"] = max;
    CHECK(other.refusal() == "not a samples.json of saetap (a max below a feature's strongest sample)");
  }
}

TEST_CASE("memory that runs out while a samples.json is read is not taken for a fault of the file") {
  OneFeature one;
  ImportOptions options;
  options.progress = [](std::uint64_t) { throw std::bad_alloc(); };
  CHECK_THROWS_AS((void)one.imported(options), std::bad_alloc);
}

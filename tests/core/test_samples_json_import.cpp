#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "plugin/store/samples_json.h"
#include "plugin/store/samples_json_import.h"
#include "tests/core/rich_store.h"

using namespace saetap;
using saetap::testing::RichRun;

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

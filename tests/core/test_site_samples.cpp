// All samples of a site at once, held against asking for each.
#include <doctest/doctest.h>

#include "integrations/analysis/shared_samples.h"
#include "integrations/analysis/site_samples.h"
#include "tests/core/rich_store.h"

using saetap::SampleKind;
using saetap::Scope;
using saetap::SiteSamples;

TEST_CASE("every kept sample is there with the token that its context names") {
  saetap::testing::RichRun run;
  run.train(0, 21);
  const saetap::StoreReader store = run.saved();
  const saetap::StoredSite& site = store.sites().front();
  std::size_t known = 0;
  for (const Scope scope : {Scope::recent, Scope::all_time}) {
    for (const SampleKind kind : {SampleKind::strongest, SampleKind::random}) {
      const SiteSamples all = SiteSamples::read(store, site, scope, kind);
      REQUIRE(all.features() == 12);
      for (std::uint32_t feature = 0; feature < 12; ++feature) {
        const auto alone = kind == SampleKind::strongest ? store.samples(site.site.id, feature, scope)
                                                         : store.random_samples(site.site.id, feature, scope);
        const auto together = all.of(feature);
        REQUIRE(together.size() == alone.size());
        for (std::size_t i = 0; i < alone.size(); ++i) {
          CHECK(together[i].sequence == alone[i].sequence);
          CHECK(together[i].position == alone[i].position);
          CHECK(together[i].step == alone[i].step);
          CHECK(together[i].activation == alone[i].activation);
          const saetap::Context context = store.context(alone[i], 0, 0);
          REQUIRE(context.tokens.size() == 1);
          CHECK(together[i].token == context.tokens.front());
          ++known;
        }
      }
    }
  }
  CHECK(known > 300);
}

TEST_CASE("a sample whose text is not stored has no token") {
  saetap::testing::RichRun run;
  run.train(0, 6);
  run.checkpoint(true);
  saetap::Database(run.folder.file("samples.saetap"), saetap::Database::Mode::read_write)
      .execute("DELETE FROM sequence WHERE segment = 1");
  const saetap::StoreReader store(run.folder.path());
  const SiteSamples all = SiteSamples::read(store, store.sites().front(), Scope::all_time, SampleKind::strongest);
  std::size_t lost = 0, kept = 0;
  for (std::uint32_t feature = 0; feature < 12; ++feature) {
    std::size_t known = 0;
    for (const saetap::PlacedSample& sample : all.of(feature)) {
      CHECK((sample.token == saetap::kTokenNotKnown) == (sample.position >= 64));
      (sample.token == saetap::kTokenNotKnown ? lost : known) += 1;
    }
    CHECK(all.tokens_of(feature).size() == known);
    kept += known;
  }
  CHECK(lost > 0);
  CHECK(kept > 0);
}

TEST_CASE("places dealt out at random are as many for each feature, and different ones") {
  // Four features, active at the same places: of two dealt out at random one in four would meet itself.
  saetap::testing::RichRun run(4);
  for (std::uint64_t step = 0; step < 3; ++step) {
    std::vector<std::int32_t> tokens(10, static_cast<std::int32_t>(step));
    const saetap::testing::Row row(4, 1.0f);
    run.sequence(step, tokens, std::vector<saetap::testing::Row>(10, row));
  }
  const saetap::StoreReader store = run.saved();
  const auto samples = SiteSamples::read(store, store.sites().front(), Scope::all_time, SampleKind::strongest);
  const saetap::SampleRows places = saetap::SampleRows::of_places(samples);
  std::size_t shared = 0;
  for (const std::uint64_t seed : {1u, 2u, 3u, 4u, 5u}) {
    const saetap::SampleRows dealt = places.shuffled(seed);
    for (std::uint32_t feature = 0; feature < 4; ++feature) {
      REQUIRE(places.samples(feature) > 2);
      CHECK(dealt.samples(feature) == places.samples(feature));
      shared += dealt.sharing_with(feature).size();
    }
  }
  CHECK(shared > 0);
}

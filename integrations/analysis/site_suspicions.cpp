#include "integrations/analysis/site_suspicions.h"

#include "integrations/analysis/shared_samples.h"
#include "integrations/analysis/site_samples.h"
#include "integrations/analysis/window_activity.h"

namespace saetap {
namespace {

// One list for each feature, one after the other.
template <typename Value>
class Lists {
 public:
  void add(Value value) { values_.push_back(value); }
  void close() { ends_.push_back(values_.size()); }
  [[nodiscard]] std::vector<std::span<const Value>> spans() const {
    std::vector<std::span<const Value>> spans;
    std::size_t begin = 0;
    for (const std::size_t end : ends_) {
      spans.push_back(std::span(values_).subspan(begin, end - begin));
      begin = end;
    }
    return spans;
  }

 private:
  std::vector<Value> values_;
  std::vector<std::size_t> ends_;
};

struct Drawn {
  Lists<std::int32_t> tokens;
  Lists<std::uint32_t> positions;
};

// Of the random samples, those whose place in a text is known.
Drawn drawn_of(const SiteSamples& samples) {
  Drawn drawn;
  for (std::uint32_t feature = 0; feature < samples.features(); ++feature) {
    for (const PlacedSample& sample : samples.of(feature)) {
      if (sample.token != kTokenNotKnown) drawn.tokens.add(sample.token);
      if (has_tokens(sample.sequence)) drawn.positions.add(sample.position);
    }
    drawn.tokens.close();
    drawn.positions.close();
  }
  return drawn;
}

// Features of fewer samples share all their places with somebody soon.
Suspicion duplicate_places_of(const SiteSamples& strongest) {
  const SampleRows rows = SampleRows::of_places(strongest);
  NearestKeeper keeper(rows.features(), 1, static_cast<float>(kDuplicatePlaces));
  rows.find_similar(keeper, {});
  std::vector<std::vector<Neighbor>> nearest = keeper.take();
  std::uint64_t judged = 0;
  for (std::uint32_t feature = 0; feature < rows.features(); ++feature) {
    if (rows.samples(feature) < kFewestDrawn) {
      nearest[feature].clear();
    } else {
      ++judged;
    }
  }
  Suspicion found = duplicated(nearest, kDuplicatePlaces);
  found.judged = judged;
  return found;
}

std::string unless_judged(const Suspicion& found, const char* why) {
  return found.judged > 0 ? "" : why;
}

}  // namespace

std::vector<SiteSuspicion> read_suspicions(const StoreReader& store, const StoredSite& site, Scope scope,
                                           std::span<const std::vector<Neighbor>> nearest,
                                           const FeatureProgress& tick) {
  using enum SuspicionKind;
  const int id = site.site.id;
  const std::vector<FeatureStatistics> all_time = store.statistics(id, Scope::all_time);
  const std::vector<FeatureStatistics> recent = store.statistics(id, Scope::recent);
  const std::vector<FeatureStatistics>& read = scope == Scope::recent ? recent : all_time;
  const std::uint64_t eligible = (scope == Scope::recent ? site.recent : site.all_time).eligible;
  const Drawn drawn = drawn_of(SiteSamples::read(store, site, scope, SampleKind::random, tick));
  const auto second = [&](std::size_t done) {
    if (tick) tick(all_time.size() + done);
  };
  std::vector<SiteSuspicion> found;
  const auto add = [&](SuspicionKind kind, Suspicion suspicion, const char* otherwise) {
    std::string why = unless_judged(suspicion, otherwise);
    found.push_back({kind, std::move(suspicion), std::move(why)});
  };
  add(nonfinite, with_nonfinite(read), "");
  add(dense, dense_features(read, eligible), "");
  add(never_active, saetap::never_active(all_time, site.all_time.eligible), "");
  add(died, saetap::died(all_time, site.all_time.eligible, recent, site.recent.eligible),
      "the store has no steps before the recent ones");
  add(came_back, saetap::came_back(read_window_activity(StoredWindows(store.path()), site.site)),
      "the run has a single window, or more windows of features than a report reads");
  add(one_token, one_token_features(drawn.tokens.spans()), "no feature has 20 random samples with known tokens");
  add(position_locked, saetap::position_locked(drawn.positions.spans()),
      "no feature has 20 random samples at known places");
  add(duplicate_direction, duplicated(nearest, kDuplicateCosine), "the decoder was not saved");
  add(duplicate_places, duplicate_places_of(SiteSamples::read(store, site, scope, SampleKind::strongest, second)),
      "no feature has 20 samples at known places");
  add(negative, with_negative(read), "no feature was active");
  return found;
}

}  // namespace saetap

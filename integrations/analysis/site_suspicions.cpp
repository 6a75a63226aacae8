#include "integrations/analysis/site_suspicions.h"

#include <algorithm>

#include "integrations/analysis/shared_activity.h"
#include "integrations/analysis/shared_samples.h"
#include "integrations/analysis/site_samples.h"
#include "integrations/analysis/window_activity.h"
#include "plugin/number_text.h"

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

// How many of the strongest samples the two share, of those that either has.
void count_shared(const SampleRows& rows, SuspiciousFeature& one) {
  const auto other = static_cast<std::uint32_t>(one.subject);
  const std::vector<SharedSamples> sharing = rows.sharing_with(one.feature);
  one.count = std::ranges::find(sharing, other, &SharedSamples::feature)->shared;
  one.of = std::uint64_t{rows.samples(one.feature)} + rows.samples(other) - one.count;
}

// Features of fewer samples share all their places with somebody soon.
Suspicion same_strongest_of(const SiteSamples& strongest) {
  const SampleRows rows = SampleRows::of_places(strongest);
  NearestKeeper keeper(rows.features(), 1, static_cast<float>(kSameStrongest));
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
  Suspicion found = duplicated(nearest, kSameStrongest);
  found.judged = judged;
  for (SuspiciousFeature& one : found.features) count_shared(rows, one);
  return found;
}

// What the strongest samples cannot say: how often both are active where either is.
void add_activity(const StoreReader& store, int site, Scope scope, Suspicion& found) {
  for (SuspiciousFeature& one : found.features) {
    const auto first = store.random_samples(site, one.feature, scope);
    const auto second = store.random_samples(site, static_cast<std::uint32_t>(one.subject), scope);
    const std::size_t full = store.run().kept_random_samples_per_feature;
    const SharedActivity activity = shared_activity({first, first.size() < full}, {second, second.size() < full});
    one.either = activity.either;
    one.both = activity.both;
  }
}

// Why the windows say nothing.
std::string windows_text(const RunActivity& run, std::int64_t features) {
  if (run.stored < 2) return "the run has a single window";
  if (!run.windows.empty()) return "no feature was active";
  return "the run has " + count_text(run.stored) + " windows of " + count_text(static_cast<std::uint64_t>(features)) +
         " features, and a report reads " + count_text(kMostWindowRows) + " of such figures at most";
}

// Why a rule has nothing to go by in a store that was made of a samples.json; empty if it has.
std::string not_imported(SuspicionKind kind) {
  using enum SuspicionKind;
  const std::string listed = "an imported store lists only the features of its file";
  switch (kind) {
    case never_active:
      return listed;
    case nonfinite:
    case negative:
      return listed + ", which does not count such values";
    case died:
    case came_back:
      return listed + ", in one part of the run";
    case one_token:
    case position_locked:
      return listed + ", without random samples";
    case duplicate_direction:
      return listed + ", without decoder directions";
    case dense:
    case same_strongest:
      break;
  }
  return "";
}

// Leaves what is known of the `listed` features alone.
void drop_unknown(std::vector<SiteSuspicion>& all, std::uint64_t listed) {
  for (SiteSuspicion& one : all) {
    if (one.kind == SuspicionKind::dense) one.found.judged = listed;
    std::string why = not_imported(one.kind);
    if (!why.empty()) one = {one.kind, {}, std::move(why)};
  }
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
  const auto add = [&](SuspicionKind kind, Suspicion suspicion, std::string otherwise) {
    if (suspicion.judged > 0) otherwise.clear();
    found.push_back({kind, std::move(suspicion), std::move(otherwise)});
  };
  add(nonfinite, with_nonfinite(read), "");
  add(dense, dense_features(read, eligible), "");
  add(never_active, saetap::never_active(all_time, site.all_time.eligible), "");
  add(died, saetap::died(all_time, site.all_time.eligible, recent, site.recent.eligible),
      "the store has no steps before the recent ones");
  const RunActivity run = read_window_activity(StoredWindows(store.path()), site.site);
  add(came_back, saetap::came_back(run.windows), windows_text(run, site.site.features));
  add(one_token, one_token_features(drawn.tokens.spans()), "no feature has 20 random samples with known tokens");
  add(position_locked, saetap::position_locked(drawn.positions.spans()),
      "no feature has 20 random samples at known places");
  add(duplicate_direction, duplicated(nearest, kDuplicateCosine), "the decoder was not saved");
  Suspicion same = same_strongest_of(SiteSamples::read(store, site, scope, SampleKind::strongest, second));
  add_activity(store, id, scope, same);
  add(same_strongest, std::move(same), "no feature has 20 samples at known places");
  add(negative, with_negative(read), "no feature was active");
  if (store.run().imported) {
    drop_unknown(found, static_cast<std::uint64_t>(
                            std::ranges::count_if(read, [](const FeatureStatistics& of) { return of.active > 0; })));
  }
  return found;
}

}  // namespace saetap

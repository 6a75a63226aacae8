// Features that something may be wrong with, each found by a rule that says what it goes by.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "integrations/analysis/decoder_neighbors.h"
#include "integrations/analysis/ranking.h"
#include "plugin/collect/feature_statistics.h"

namespace saetap {

// One feature that a rule found. What the fields hold is said at each rule; those that it does not name are as here.
struct SuspiciousFeature {
  std::uint32_t feature = 0;
  std::uint64_t count = 0;
  std::uint64_t of = 0;
  double usual = 0;          // the share that `count` of `of` would be if nothing were wrong
  double p = 1;              // corrected for all features tested (Benjamini-Hochberg); 1 where the rule is no test
  std::int64_t subject = 0;  // a token, a position, another feature or a step
  std::int64_t until = 0;    // the end of the span that begins at `subject`
  std::uint64_t either = 0;  // places drawn at random where this feature or `subject` is active: see shared_activity()
  std::uint64_t both = 0;    // of these, where both are
};

// What a rule found, the most suspicious first.
struct Suspicion {
  std::uint64_t judged = 0;  // features that it could say something about
  std::vector<SuspiciousFeature> features;
};

inline constexpr double kSuspiciousDensity = kDense;
inline constexpr std::size_t kFewestDrawn = 20;  // of a random sample, for a rule that reads it
inline constexpr double kOneTokenShare = 0.95;
inline constexpr double kPositionShare = 0.5;   // of a feature's active places
inline constexpr double kPositionLift = 5;      // how much more than other features have there
inline constexpr double kDiscoveryRate = 0.01;  // of what a test finds, so many are expected to be false
inline constexpr double kDuplicateCosine = 0.95;
inline constexpr double kSameStrongest = 0.9;      // of the strongest samples of either feature, in common
inline constexpr double kExpectedWhenSilent = 20;  // active tokens that a silent span should have had, at least

// Active on more than one token in ten: count of `of` tokens. Judged: all.
[[nodiscard]] Suspicion dense_features(std::span<const FeatureStatistics> statistics, std::uint64_t eligible);
// Never active in any step of the run: in order of the feature. `of`: tokens counted. Judged: all.
[[nodiscard]] Suspicion never_active(std::span<const FeatureStatistics> all_time, std::uint64_t eligible);
// Active before the recent steps (`count` of `of` tokens), and not in them, where at their density before
// kExpectedWhenSilent active tokens at least would be expected. `p`: that all its active tokens fall into the earlier
// steps by chance. Judged: those that were active before.
[[nodiscard]] Suspicion died(std::span<const FeatureStatistics> all_time, std::uint64_t all_tokens,
                             std::span<const FeatureStatistics> recent, std::uint64_t recent_tokens);
// With values that were NaN or infinite: `count`. Judged: all.
[[nodiscard]] Suspicion with_nonfinite(std::span<const FeatureStatistics> statistics);
// With values below 0: `count` of `of` active ones. Judged: those that were active.
[[nodiscard]] Suspicion with_negative(std::span<const FeatureStatistics> statistics);

// `drawn`: of each feature the tokens at its random sample. Of kFewestDrawn at least, kOneTokenShare are one token:
// `count` of `of` are `subject`. Judged: those with so many.
[[nodiscard]] Suspicion one_token_features(std::span<const std::span<const std::int32_t>> drawn);

// `drawn`: of each feature the positions of its random sample, where tokens are known. `count` of `of` are at the
// positions `subject` to `until`: one position, or the first 2, 4, 8 or 16. `usual`: the share of these among the
// positions of all other features but those that sit at one position themselves. Found are those with kPositionShare of
// their places there, kPositionLift times what is usual, and a `p` (binomial, corrected for the spans that were looked
// at) of kDiscoveryRate at most. Judged: those with kFewestDrawn.
[[nodiscard]] Suspicion position_locked(std::span<const std::span<const std::uint32_t>> drawn);

// Features whose nearest other is as near as `least` or nearer: `usual` is how near, `subject` the other.
// Of two that are each other's nearest both are listed. `nearest`: of each feature, best first. Judged: those with a
// list.
[[nodiscard]] Suspicion duplicated(std::span<const std::vector<Neighbor>> nearest, double least);

// A span of steps, with what each feature did in it.
struct WindowActivity {
  std::uint64_t first_step = 0;
  std::uint64_t last_step = 0;
  std::uint64_t eligible = 0;
  std::vector<std::uint64_t> active;  // [features]
};

// Silent in steps `subject` to `until`, whole windows, and active afterwards: `count` of `of` tokens outside of the
// span. At that density kExpectedWhenSilent active tokens at least would be expected in it; `p`: that none is there by
// chance, corrected for the spans that could have been. A decoder row that was replaced (resampled) looks like this,
// and so does a feature that learnt late or came back by itself. One that was replaced while it was active, or within a
// window, is not seen. `windows`: in the order of the steps. Judged: those that were active.
[[nodiscard]] Suspicion came_back(std::span<const WindowActivity> windows);

}  // namespace saetap

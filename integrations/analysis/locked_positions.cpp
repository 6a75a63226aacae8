// The rule of suspicious_features.h about features that sit at one place of every text.
#include <algorithm>
#include <array>
#include <boost/math/special_functions/beta.hpp>
#include <map>

#include "integrations/analysis/discoveries.h"
#include "integrations/analysis/suspicious_features.h"

namespace saetap {
namespace {

constexpr std::array<std::uint32_t, 4> kBeginnings{2, 4, 8, 16};

// How many places are at each position.
using PositionCounts = std::map<std::uint32_t, std::uint64_t>;

PositionCounts counts_of(std::span<const std::uint32_t> positions) {
  PositionCounts counts;
  for (const std::uint32_t position : positions) ++counts[position];
  return counts;
}

std::uint64_t count_in(const PositionCounts& counts, std::uint32_t first, std::uint32_t last) {
  std::uint64_t count = 0;
  for (auto at = counts.lower_bound(first); at != counts.end() && at->first <= last; ++at) count += at->second;
  return count;
}

// Half of its places at one position: such features do not say what text is like.
bool sits_still(const PositionCounts& counts, std::size_t drawn) {
  return std::ranges::any_of(counts, [&](const auto& at) { return 2 * at.second >= drawn; });
}

struct Base {
  PositionCounts counts;
  std::uint64_t total = 0;
};

// P(X >= hits) of `draws` that each count with probability `share`.
double binomial_tail(std::uint64_t hits, std::uint64_t draws, double share) {
  if (hits == 0 || share >= 1) return 1;
  if (share <= 0) return 0;
  return boost::math::ibeta(static_cast<double>(hits), static_cast<double>(draws - hits + 1), share);
}

// The best of the spans, `p` corrected for how many there are.
SuspiciousFeature tightest_span(std::uint32_t feature, const PositionCounts& own, std::size_t drawn, bool in_base,
                                const Base& base) {
  SuspiciousFeature best{.feature = feature, .of = drawn};
  const double others = static_cast<double>(base.total - (in_base ? drawn : 0));
  const auto look_at = [&](std::uint32_t first, std::uint32_t last) {
    const std::uint64_t count = count_in(own, first, last);
    if (static_cast<double>(count) < kPositionShare * static_cast<double>(drawn)) return;
    const std::uint64_t usual = count_in(base.counts, first, last) - (in_base ? count : 0);
    // One more than was met: what others never had may be rare.
    const double share = (static_cast<double>(usual) + 1) / (others + 1);
    const double p = binomial_tail(count, drawn, share);
    const bool far = static_cast<double>(count) / static_cast<double>(drawn) >= kPositionLift * share;
    if (!far || p >= best.p) return;
    best.count = count;
    best.usual = share;
    best.p = p;
    best.subject = first;
    best.until = last;
  };
  for (const auto& [position, count] : own) look_at(position, position);
  for (const std::uint32_t width : kBeginnings) look_at(0, width - 1);
  const double spans = static_cast<double>(base.counts.size() + kBeginnings.size());
  best.p = std::min(1.0, best.p * spans);
  return best;
}

}  // namespace

Suspicion position_locked(std::span<const std::span<const std::uint32_t>> drawn) {
  Base base;
  for (const auto& positions : drawn) {
    const PositionCounts counts = counts_of(positions);
    if (sits_still(counts, positions.size())) continue;
    for (const auto& [position, count] : counts) base.counts[position] += count;
    base.total += positions.size();
  }
  Suspicion found;
  for (std::uint32_t feature = 0; feature < drawn.size(); ++feature) {
    const std::span<const std::uint32_t> positions = drawn[feature];
    if (positions.size() < kFewestDrawn) continue;
    const PositionCounts own = counts_of(positions);
    found.features.push_back(tightest_span(feature, own, positions.size(), !sits_still(own, positions.size()), base));
  }
  found.judged = found.features.size();
  keep_discoveries(found);
  return found;
}

}  // namespace saetap

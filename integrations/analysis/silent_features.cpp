// Rules of suspicious_features.h about features that were silent where they should not have been.
#include <algorithm>
#include <cmath>
#include <optional>

#include "integrations/analysis/discoveries.h"
#include "integrations/analysis/suspicious_features.h"

namespace saetap {
namespace {

// That none of `active` tokens lies among `silent` of `all`, any of which they could be.
double chance_of_silence(std::uint64_t active, std::uint64_t silent, std::uint64_t all) {
  if (active > all - silent) return 0;
  const auto log_factorial = [](std::uint64_t n) { return std::lgamma(static_cast<double>(n) + 1); };
  return std::exp(std::min(0.0, log_factorial(all - silent) - log_factorial(all - silent - active) -
                                    log_factorial(all) + log_factorial(all - active)));
}

double expected(const SuspiciousFeature& one, std::uint64_t silent) {
  return one.of == 0 ? 0 : static_cast<double>(one.count) / static_cast<double>(one.of) * static_cast<double>(silent);
}

// Windows of one run, from `begin` to before `end`.
struct Silence {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::uint64_t tokens = 0;
};

// The span with the most tokens in which the feature was silent and after which it was active.
std::optional<Silence> longest_silence(std::span<const WindowActivity> windows, std::size_t feature) {
  std::optional<Silence> longest;
  Silence now;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    if (windows[i].active[feature] == 0) {
      now.end = i + 1;
      now.tokens += windows[i].eligible;
      continue;
    }
    if (now.tokens > 0 && (!longest || now.tokens > longest->tokens)) longest = now;
    now = {i + 1, i + 1, 0};
  }
  return longest;
}

}  // namespace

Suspicion died(std::span<const FeatureStatistics> all_time, std::uint64_t all_tokens,
               std::span<const FeatureStatistics> recent, std::uint64_t recent_tokens) {
  Suspicion found;
  for (std::uint32_t feature = 0; feature < all_time.size(); ++feature) {
    const std::uint64_t before = all_time[feature].active - recent[feature].active;
    if (before == 0) continue;
    ++found.judged;
    SuspiciousFeature one{.feature = feature, .count = before, .of = all_tokens - recent_tokens};
    if (recent[feature].active == 0) one.p = chance_of_silence(before, recent_tokens, all_tokens);
    found.features.push_back(one);
  }
  keep_discoveries(found);
  std::erase_if(found.features, [&](const SuspiciousFeature& one) {
    return recent[one.feature].active > 0 || expected(one, recent_tokens) < kExpectedWhenSilent;
  });
  return found;
}

Suspicion came_back(std::span<const WindowActivity> windows) {
  Suspicion found;
  if (windows.empty()) return found;
  std::uint64_t all = 0;
  for (const WindowActivity& window : windows) all += window.eligible;
  const double spans = static_cast<double>(windows.size() * (windows.size() + 1)) / 2;
  for (std::uint32_t feature = 0; feature < windows.front().active.size(); ++feature) {
    SuspiciousFeature one{.feature = feature};
    for (const WindowActivity& window : windows) one.count += window.active[feature];
    if (one.count == 0) continue;
    ++found.judged;
    if (const auto silence = longest_silence(windows, feature)) {
      one.of = all - silence->tokens;
      one.subject = static_cast<std::int64_t>(windows[silence->begin].first_step);
      one.until = static_cast<std::int64_t>(windows[silence->end - 1].last_step);
      const bool enough = expected(one, silence->tokens) >= kExpectedWhenSilent;
      if (enough) one.p = std::min(1.0, chance_of_silence(one.count, silence->tokens, all) * spans);
    }
    found.features.push_back(one);
  }
  keep_discoveries(found);
  return found;
}

}  // namespace saetap

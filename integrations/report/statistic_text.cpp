#include "integrations/report/statistic_text.h"

#include <array>
#include <cmath>
#include <cstdio>

#include "plugin/number_text.h"

namespace saetap {
namespace {

std::string formatted(const char* pattern, double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), pattern, value);
  return text.data();
}

}  // namespace

std::string density_text(const FeatureFacts& facts) {
  std::string text = percent_text(facts.density());
  if (!facts.density_interval) return text;
  return text + " (" + percent_text(facts.density_interval->low) + " to " + percent_text(facts.density_interval->high) +
         ")";
}

std::string mean_text(const FeatureFacts& facts) {
  if (facts.statistics.active == 0) return "";
  std::string text = activation_text(facts.statistics.mean());
  if (!facts.mean_interval) return text;
  return text + " (" + activation_text(facts.mean_interval->low) + " to " + activation_text(facts.mean_interval->high) +
         ")";
}

std::string counted_among_text(const ActivatingTokens& tokens) {
  return "of " + count_text(tokens.of) +
         (tokens.at_random ? " active tokens drawn at random" : " strongest samples: too few at random are known");
}

std::string text_base_text(std::uint64_t tokens, std::uint64_t counted) {
  if (counted == 0) return count_text(tokens) + " tokens, an estimate: those that the store holds around samples";
  if (tokens == counted) return count_text(tokens) + " tokens, all that were counted";
  return count_text(tokens) + " of " + count_text(counted) + " counted tokens, those that are known";
}

std::string p_text(double p) {
  if (p < 1e-300) return "< 1e-300";
  return formatted(p < 0.001 ? "%.0e" : "%.2g", p);
}

std::string lift_text(double lift) {
  if (lift >= 1000) return count_text(static_cast<std::uint64_t>(std::llround(lift))) + " times";
  return formatted(lift >= 10 ? "%.0f times" : "%.1f times", lift);
}

std::string no_samples_text(const FeatureFacts& facts, float threshold) {
  if (facts.active_before > 0) {
    return "not active in these steps: no samples; active on " + count_text(facts.active_before) +
           (facts.active_before == 1 ? " token" : " tokens") + " before (--all-time)";
  }
  if (facts.statistics.active == 0) return "never active here: no samples";
  return "active, but never from " + activation_text(threshold) + " up: no samples";
}

}  // namespace saetap

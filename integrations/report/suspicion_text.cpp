#include "integrations/report/suspicion_text.h"

#include <array>
#include <cstdio>

#include "integrations/analysis/activating_tokens.h"
#include "integrations/analysis/confidence.h"
#include "integrations/report/statistic_text.h"
#include "plugin/number_text.h"

namespace saetap {
namespace {

std::string of_text(const SuspiciousFeature& one) {
  return count_text(one.count) + " of " + count_text(one.of);
}

std::string interval_text(const SuspiciousFeature& one) {
  const auto interval = share_interval(one.count, one.of);
  if (!interval) return "";
  return " (95 % interval " + percent_text(interval->low) + " to " + percent_text(interval->high) + ")";
}

std::string position_text(const SuspiciousFeature& one) {
  const std::string where = one.subject == one.until ? "at position " + std::to_string(one.subject)
                                                     : "within the first " + std::to_string(one.until + 1) + " tokens";
  return of_text(one) + " random samples " + where + interval_text(one) + ", where other features have " +
         percent_text(one.usual) + " of theirs; p " + p_text(one.p);
}

std::string strongest_text(const SuspiciousFeature& one) {
  const std::string text =
      "the same strongest samples (" + of_text(one) + " places) as feature " + std::to_string(one.subject);
  if (one.either == 0) return text;
  return text + "; both are active at " + count_text(one.both) + " of " + count_text(one.either) +
         " random places where either is";
}

std::string steps_text(const SuspiciousFeature& one) {
  return "steps " + std::to_string(one.subject) + " to " + std::to_string(one.until);
}

struct Words {
  const char* name;
  const char* title;
};

Words words_of(SuspicionKind kind) {
  using enum SuspicionKind;
  switch (kind) {
    case nonfinite:
      return {"nonfinite", "NaN or infinite"};
    case dense:
      return {"dense", "Dense"};
    case never_active:
      return {"never_active", "Never active"};
    case died:
      return {"died", "Died"};
    case came_back:
      return {"came_back", "Came back, maybe resampled"};
    case one_token:
      return {"one_token", "One token"};
    case position_locked:
      return {"position_locked", "Locked to a position"};
    case duplicate_direction:
      return {"duplicate_direction", "Duplicated direction"};
    case same_strongest:
      return {"same_strongest", "Same strongest samples"};
    case negative:
      break;
  }
  return {"negative", "Negative"};
}

}  // namespace

const char* name_of(SuspicionKind kind) {
  return words_of(kind).name;
}

const char* title_of(SuspicionKind kind) {
  return words_of(kind).title;
}

std::string rule_of(SuspicionKind kind) {
  using enum SuspicionKind;
  const std::string drawn = std::to_string(kFewestDrawn);
  const std::string silent = bound_text(kExpectedWhenSilent);
  switch (kind) {
    case nonfinite:
      return "Values that were NaN or infinite; nothing else counts them.";
    case dense:
      return "Active on more than " + bound_percent(kSuspiciousDensity) + " of the tokens.";
    case never_active:
      return "Not once active in the whole run.";
    case died:
      return "Active before the recent steps and not once in them, where " + silent +
             " active tokens or more would be expected; p: that chance leaves them out.";
    case came_back:
      return "Silent for whole windows in which " + silent +
             " active tokens or more would be expected, and active afterwards; p: that chance leaves these windows "
             "out. A decoder row that was replaced looks like this, and so does a feature that learnt late; the store "
             "does not say which. A row replaced while its feature was active, or within one window, is not seen.";
    case one_token:
      return "Of " + drawn + " random samples or more, " + bound_percent(kOneTokenShare) + " are on one token.";
    case position_locked:
      return "Of " + drawn + " random samples or more, " + bound_percent(kPositionShare) +
             " are at one position or among the first tokens, and " + bound_text(kPositionLift) +
             " times the share that other features have there; p: binomial.";
    case duplicate_direction:
      return "Another feature's decoder direction has a cosine of " + bound_text(kDuplicateCosine) + " or more.";
    case same_strongest:
      return "Of the strongest samples kept of this feature and of another one, " + bound_percent(kSameStrongest) +
             " are at the same places. Where they are weaker the two may differ: beside it stands how often both are "
             "active, of places drawn at random from those where either is.";
    case negative:
      break;
  }
  return "Values below 0; samples are then ranked by their magnitude.";
}

std::string bound_text(double bound) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g", bound);
  return text.data();
}

std::string bound_percent(double share) {
  return bound_text(100 * share) + " %";
}

std::string finding_text(SuspicionKind kind, const SuspiciousFeature& one, const Tokenizer* tokenizer) {
  using enum SuspicionKind;
  switch (kind) {
    case nonfinite:
      return count_text(one.count) + " values";
    case dense:
      return "active on " + of_text(one) + " tokens" + interval_text(one);
    case never_active:
      return "active on 0 of " + count_text(one.of) + " tokens";
    case died:
      return "active on " + of_text(one) + " tokens before and on none since; p " + p_text(one.p);
    case came_back:
      return "silent in " + steps_text(one) + ", active on " + of_text(one) + " tokens of the other steps; p " +
             p_text(one.p);
    case one_token:
      return of_text(one) + " random samples are the token “" +
             token_text(static_cast<std::int32_t>(one.subject), tokenizer) + "”" + interval_text(one);
    case position_locked:
      return position_text(one);
    case duplicate_direction:
      return "cosine " + activation_text(one.usual) + " with feature " + std::to_string(one.subject);
    case same_strongest:
      return strongest_text(one);
    case negative:
      break;
  }
  return of_text(one) + " active values are below 0";
}

}  // namespace saetap

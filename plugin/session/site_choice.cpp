#include "plugin/session/site_choice.h"

#include <algorithm>

#include "plugin/session/feature_tap.h"

namespace saetap {

namespace {

// Adds the site that the rule names. False if the method has none of that name.
bool choose_named(const HookRule& rule, const hooks::Meeting& meeting, std::vector<std::size_t>& chosen) {
  bool found = rule.value == kHookNothing;
  for (std::size_t i = 0; i < meeting.sites.size(); ++i) {
    if (meeting.sites[i].value != rule.value) continue;
    chosen.push_back(i);
    found = true;
  }
  return found;
}

std::string values_of(const hooks::Meeting& meeting) {
  std::string values;
  for (const auto& site : meeting.sites) values += (values.empty() ? "" : ", ") + site.value;
  return values;
}

}  // namespace

SiteChoice choose_sites(const Config& config, const hooks::Meeting& meeting) {
  SiteChoice choice;
  bool ruled = false;
  for (const auto& rule : config.hooks) {
    const bool concerns = (rule.module.empty() || rule.module == meeting.type_name) &&
                          (rule.method.empty() || rule.method == meeting.function.name());
    if (!concerns || (rule.value != kHookNothing && meeting.sites.empty())) continue;
    ruled = true;
    if (choose_named(rule, meeting, choice.chosen)) continue;
    choice.not_found.push_back(meeting.type_name + " › " + meeting.function.name() + " has no site \"" + rule.value +
                               "\"; it has: " + values_of(meeting));
  }
  if (ruled) return choice;
  for (std::size_t i = 0; i < meeting.sites.size(); ++i) {
    if (meeting.sites[i].certain) choice.chosen.push_back(i);
  }
  if (!choice.chosen.empty()) return choice;
  for (const auto& site : meeting.sites) {
    if (!site.worth_naming) continue;
    choice.uncertain.push_back(
        {site_line(meeting, site), hook_rule_json({meeting.type_name, meeting.function.name(), site.value})});
  }
  return choice;
}

std::string path_of(const hooks::FeatureSite& site) {
  const auto [here, there] =
      std::mismatch(site.encoder.begin(), site.encoder.end(), site.decoder.begin(), site.decoder.end());
  const auto common = std::string(site.encoder.begin(), here);
  const auto dot = common.rfind('.');
  return dot == std::string::npos ? "" : common.substr(0, dot);
}

}  // namespace saetap

#include "integrations/report/feature_lines.h"

#include <nlohmann/json.hpp>
#include <ostream>

namespace saetap {
namespace {

using Json = nlohmann::ordered_json;

// What the figures of a line are of: a line is read without the others.
Json head_of(const StoredSite& site, Scope scope) {
  const ScopeFacts& facts = scope == Scope::recent ? site.recent : site.all_time;
  return {{"site", site.site.name},
          {"scope", scope == Scope::recent ? "recent" : "all_time"},
          {"first_step", facts.first_step},
          {"last_step", facts.last_step},
          {"tokens_counted", facts.eligible}};
}

}  // namespace

void write_feature_lines(std::ostream& out, const ExportRequest& request) {
  const SamplesJsonOptions& listed = request.listed;
  for (const StoredSite* site : listed_sites(request.store, listed)) {
    const auto statistics = request.store.statistics(site->site.id, listed.scope);
    for (const std::uint32_t feature : listed_features(statistics, listed)) {
      Json line = head_of(*site, listed.scope);
      line.update(feature_json(request.store, *site, feature, statistics[feature], listed));
      out << line.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) << '\n';
      if (listed.progress) listed.progress(line["samples"].size());
    }
  }
}

}  // namespace saetap

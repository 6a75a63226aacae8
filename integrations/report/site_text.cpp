#include "integrations/report/site_text.h"

#include "plugin/number_text.h"

namespace saetap {

std::string tokens_text(const SiteCounts& counts) {
  return count_text(counts.rows_seen) + " seen, " + percent_text(share_of(counts.rows_collected, counts.rows_seen)) +
         " collected; of these " + percent_text(share_of(counts.rows_resolved, counts.rows_collected)) +
         " resolved to their token, " + percent_text(share_of(counts.rows_ambiguous, counts.rows_collected)) +
         " ambiguous, " + percent_text(share_of(counts.rows_excluded, counts.rows_collected)) +
         " excluded (ignored ids and positions)";
}

std::string density_text(const SiteSummary& summary) {
  std::string text = "median " + percent_text(summary.density_median) + ", 80 % of features between " +
                     percent_text(summary.density_p10) + " and " + percent_text(summary.density_p90);
  if (summary.dense > 0) text += "; " + count_text(summary.dense) + " above 10 %";
  return text;
}

std::string imported_text(const RunFacts& run) {
  if (!run.imported) return "";
  const ImportedFrom& from = *run.imported;
  return "from a samples.json of " +
         std::string(from.scope == Scope::recent ? "the run's recent steps" : "the whole run") +
         ", which lists at most " + count_text(static_cast<std::uint64_t>(from.top_features)) +
         " features of a site and " + count_text(static_cast<std::uint64_t>(from.samples_per_feature)) +
         " samples of each; not in it: other features, histograms, random samples, decoder directions";
}

std::string traced_text(const StoredTracing& tracing) {
  return tracing.source + (tracing.stream.empty() ? "" : " from " + tracing.stream);
}

}  // namespace saetap

// The chapter about the run: what the figures of a report rest on.
#include "integrations/analysis/excerpt.h"
#include "integrations/analysis/visible_text.h"
#include "integrations/report/report_chapters.h"
#include "integrations/report/site_text.h"
#include "plugin/number_text.h"

namespace saetap {
namespace {

class Facts {
 public:
  void add(const char* name, const std::string& text) {
    if (!text.empty()) table_.rows.push_back({{plain(name)}, {plain(visible(text))}});
  }
  [[nodiscard]] const TableOf& table() const { return table_; }

 private:
  TableOf table_{.caption = "The run and the site", .columns = {{"run"}, {""}}, .rows = {}};
};

std::string kept_text(const RunFacts& run) {
  return "the " + count_text(run.kept_samples_per_feature) + " strongest samples per feature from " +
         activation_text(run.sample_activation_threshold) + " up, and " +
         count_text(run.kept_random_samples_per_feature) + " of its active tokens at random";
}

std::string steps_text(const SiteCounts& counts) {
  return count_text(counts.steps) + ", " + count_text(counts.steps_collected) + " of them collected";
}

// `rule`: as in the config.
std::string windows_text(const std::string& rule) {
  if (rule == "auto") return "each a quarter longer than the one before";
  return rule == "0" ? "one for the whole run" : "of " + rule + " steps";
}

}  // namespace

void write_run(DocumentWriter& writer, const Report& report) {
  const RunFacts& run = report.request.store.run();
  const StoredSite& stored = report.request.site;
  const SiteSummary& summary = report.material.summary;
  Facts facts;
  facts.add("program", run.program);
  facts.add("started",
            run.started + ", saved " + run.saved + (run.finished ? ", finished" : "; it did not finish in order"));
  facts.add("site", stored.site.name);
  facts.add("found", stored.site.description);
  facts.add("sizes", count_text(static_cast<std::uint64_t>(stored.site.features)) + " features, d_in " +
                         std::to_string(stored.site.d_in) + ", d_out " + std::to_string(stored.site.d_out));
  facts.add("steps", steps_text(stored.counts));
  facts.add("tokens", tokens_text(stored.counts));
  facts.add("traced", traced_text(stored.tracing));
  facts.add("read", report.request.scope_text);
  facts.add("features", count_text(summary.alive) + " of " + count_text(summary.alive + summary.dead) +
                            " active in what is read, " + count_text(summary.dead) + " dead");
  facts.add("L0", activation_text(summary.mean_active) + " features active per token, of " +
                      count_text(report.material.eligible) + " tokens");
  if (summary.alive > 0) facts.add("density", density_text(summary));
  facts.add("kept", kept_text(run));
  facts.add("windows", windows_text(run.sample_window_steps));
  facts.add("redacted", redaction_text(run));
  facts.add("versions", "saetap " + run.saetap_version + ", LibTorch " + run.libtorch_version + ", store format " +
                            std::to_string(run.format_version));
  writer.heading(2, kRunChapter);
  writer.table(facts.table());
}

}  // namespace saetap

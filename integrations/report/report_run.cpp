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
  const std::string strongest = "the " + count_text(run.kept_samples_per_feature) +
                                " strongest samples per feature from " +
                                activation_text(run.sample_activation_threshold) + " up";
  if (run.imported) return strongest;
  return strongest + ", and " + count_text(run.kept_random_samples_per_feature) + " of its active tokens at random";
}

std::string steps_text(const SiteCounts& counts) {
  return count_text(counts.steps) + ", " + count_text(counts.steps_collected) + " of them collected";
}

// `rule`: as in the config.
std::string windows_text(const std::string& rule) {
  if (rule == "auto") return "each a quarter longer than the one before";
  return rule == "0" ? "one for the whole run" : "of " + rule + " steps";
}

std::string started_text(const RunFacts& run) {
  const std::string text = run.started + ", saved " + run.saved;
  if (run.imported) return text;
  return text + (run.finished ? ", finished" : "; it did not finish in order");
}

std::string sizes_text(const Site& site, bool imported) {
  const std::string features = count_text(static_cast<std::uint64_t>(site.features)) + " features";
  if (imported) return features;
  return features + ", d_in " + std::to_string(site.d_in) + ", d_out " + std::to_string(site.d_out);
}

// What a samples.json does not say.
void add_counts(Facts& facts, const StoredSite& stored) {
  facts.add("steps", steps_text(stored.counts));
  facts.add("tokens", tokens_text(stored.counts));
  facts.add("traced", traced_text(stored.tracing));
}

void add_activity(Facts& facts, const SiteSummary& summary, std::uint64_t eligible, bool imported) {
  const std::string features = count_text(summary.alive) + " of " + count_text(summary.alive + summary.dead);
  if (imported) {
    facts.add("features", features + " are in the store; of the others nothing is known");
  } else {
    facts.add("features", features + " active in what is read, " + count_text(summary.dead) + " dead");
    facts.add("L0", activation_text(summary.mean_active) + " features active per token, of " + count_text(eligible) +
                        " tokens");
  }
  if (summary.alive > 0) facts.add("density", density_text(summary));
}

std::string versions_text(const RunFacts& run) {
  return "saetap " + run.saetap_version + (run.imported ? "" : ", LibTorch " + run.libtorch_version) +
         ", store format " + std::to_string(run.format_version);
}

}  // namespace

void write_run(DocumentWriter& writer, const Report& report) {
  const RunFacts& run = report.request.store.run();
  const StoredSite& stored = report.request.site;
  const bool imported = run.imported.has_value();
  Facts facts;
  facts.add("program", run.program);
  facts.add("imported", imported_text(run));
  facts.add("started", started_text(run));
  facts.add("site", stored.site.name);
  facts.add("found", stored.site.description);
  facts.add("sizes", sizes_text(stored.site, imported));
  if (!imported) add_counts(facts, stored);
  facts.add("read", report.request.scope_text);
  add_activity(facts, report.material.summary, report.material.eligible, imported);
  facts.add("kept", kept_text(run));
  if (!imported) facts.add("windows", windows_text(run.sample_window_steps));
  facts.add("redacted", redaction_text(run));
  facts.add("versions", versions_text(run));
  writer.heading(2, kRunChapter);
  writer.table(facts.table());
}

}  // namespace saetap

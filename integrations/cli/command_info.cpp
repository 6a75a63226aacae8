#include <filesystem>
#include <iostream>
#include <memory>

#include "integrations/analysis/excerpt.h"
#include "integrations/analysis/ranking.h"
#include "integrations/analysis/visible_text.h"
#include "integrations/cli/commands.h"
#include "integrations/cli/feature_json.h"
#include "integrations/cli/json_text.h"
#include "integrations/cli/opened_store.h"
#include "integrations/cli/run_text.h"
#include "integrations/report/site_text.h"
#include "plugin/number_text.h"

namespace saetap::cli {
namespace {

struct SiteReport {
  const StoredSite& stored;
  SiteSummary summary;
  std::uint64_t samples = 0;   // kept in the scope
  std::uint64_t contexts = 0;  // of these: the activations around them are known
};

std::uint64_t bytes_of(const StoreReader& store) {
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(store.path(), error);
  return error ? 0 : bytes;
}

SiteReport report_of(const StoreReader& store, const StoredSite& stored, Scope scope) {
  const std::vector<FeatureStatistics> statistics = store.statistics(stored.site.id, scope);
  const ScopeFacts& facts = scope == Scope::recent ? stored.recent : stored.all_time;
  SiteReport report{.stored = stored, .summary = summarize(statistics, facts.eligible), .samples = 0, .contexts = 0};
  for (std::uint32_t feature = 0; feature < statistics.size(); ++feature) {
    if (statistics[feature].active == 0) continue;
    const StoreReader::Together together(store);
    const std::vector<Sample> samples = store.samples(stored.site.id, feature, scope);
    report.samples += samples.size();
    for (const auto& around : store.context_activations(stored.site.id, feature, scope, samples)) {
      report.contexts += around ? 1 : 0;
    }
  }
  return report;
}

void line(const std::string& name, const std::string& text) {
  constexpr std::size_t kNameColumns = 12;
  if (text.empty()) return;
  std::cout << name << std::string(kNameColumns - name.size(), ' ') << visible(text) << '\n';
}

// What keeps samples out that are strong enough.
std::string limits_text(const RunFacts& run) {
  std::string text;
  const auto add = [&](const std::string& limit) { text += (text.empty() ? "" : "; ") + limit; };
  if (run.kept_samples_per_feature < run.max_samples_per_feature) {
    add("memory was bounded: " + count_text(run.kept_samples_per_feature) + " samples instead of " +
        count_text(run.max_samples_per_feature) + " are kept of every feature");
  }
  if (run.max_samples_per_sequence > 0) {
    add("at most " + count_text(run.max_samples_per_sequence) + " samples of a feature from one sequence");
  }
  if (run.collapse_near_duplicates) add("of samples with the same text around them only the strongest");
  return text;
}

void print_run(const StoreReader& store) {
  const RunFacts& run = store.run();
  line("store", store.path() + "  " + size_text(bytes_of(store)));
  line("program", run.program);
  line("imported", imported_text(run));
  line("started", run.started + ", saved " + run.saved +
                      (run.imported   ? ""
                       : run.finished ? ", finished"
                                      : ", not finished in order"));
  if (store.runs().size() > 1) {
    line("made of", count_text(store.runs().size()) + " runs");
    for (const StoredRun& one : store.runs()) line("", "  " + run_text(one));
  }
  line("versions", "saetap " + run.saetap_version + (run.imported ? "" : ", LibTorch " + run.libtorch_version) +
                       ", store format " + std::to_string(run.format_version));
  line("kept", "the " + count_text(run.kept_samples_per_feature) + " strongest samples per feature from " +
                   activation_text(run.sample_activation_threshold) + " up, " +
                   std::to_string(run.sample_context_size) + " tokens on each side, " +
                   (run.sample_collection_freq == 1 ? std::string("every step")
                                                    : "one step in " + count_text(run.sample_collection_freq)));
  line("limited", limits_text(run));
  line("counted", run.counted);
  if (!redaction_text(run).empty()) line("redacted", redaction_text(run));
  line("tokenizer", run.tokenizer.empty() ? "none: token ids are shown" : run.tokenizer);
}

void print_counts(const StoredSite& site) {
  const SiteCounts& counts = site.counts;
  line("steps", count_text(counts.steps) + ", " + count_text(counts.steps_collected) + " collected; " +
                    count_text(counts.calls) + " calls");
  line("tokens", tokens_text(counts));
  line("traced", traced_text(site.tracing));
}

void print_site(const SiteReport& report, Scope scope, const RunFacts& run) {
  const Site& site = report.stored.site;
  const SiteSummary& summary = report.summary;
  std::cout << '\n';
  line("site " + std::to_string(site.id), site.name);
  line("found", site.description);
  if (!run.imported) print_counts(report.stored);
  line("read", scope_text(report.stored, scope, run.lost_before));
  const std::string features = count_text(summary.alive) + " of " + count_text(summary.alive + summary.dead);
  line("features", run.imported
                       ? features + " are in the store"
                       : features + " alive, " + activation_text(summary.mean_active) + " active per token (L0)");
  if (summary.alive > 0) line("density", density_text(summary));
  if (summary.nonfinite > 0) line("warning", count_text(summary.nonfinite) + " activations were NaN or infinite");
  if (summary.negative > 0) {
    line("signed", count_text(summary.negative) + " activations were negative: ranked by their magnitude");
  }
  line("samples", count_text(report.samples) + ", the activations around them known for " +
                      percent_text(share_of(report.contexts, report.samples)));
  line("decoder", report.stored.has_decoder
                      ? std::to_string(site.features) + " directions of width " + std::to_string(site.d_out)
                      : "not saved");
}

Json json_of_import(const RunFacts& run) {
  if (!run.imported) return nullptr;
  return {{"scope", run.imported->scope == Scope::recent ? "recent" : "all_time"},
          {"top_features", run.imported->top_features},
          {"samples_per_feature", run.imported->samples_per_feature}};
}

Json json_of_run(const StoreReader& store) {
  const RunFacts& run = store.run();
  return {{"store", store.path()},
          {"bytes", bytes_of(store)},
          {"format_version", run.format_version},
          {"saetap_version", run.saetap_version},
          {"libtorch_version", run.libtorch_version},
          {"program", run.program},
          {"started", run.started},
          {"saved", run.saved},
          {"finished", run.finished},
          {"tokenizer", run.tokenizer},
          {"redact", run.redact},
          {"counted", run.counted},
          {"max_samples_per_feature", run.max_samples_per_feature},
          {"kept_samples_per_feature", run.kept_samples_per_feature},
          {"random_samples_per_feature", run.random_samples_per_feature},
          {"kept_random_samples_per_feature", run.kept_random_samples_per_feature},
          {"max_samples_per_sequence", run.max_samples_per_sequence},
          {"collapse_near_duplicates", run.collapse_near_duplicates},
          {"sample_context_size", run.sample_context_size},
          {"sample_activation_threshold", as_printed(run.sample_activation_threshold)},
          {"sample_collection_freq", run.sample_collection_freq},
          {"imported", json_of_import(run)}};
}

Json json_of_site(const SiteReport& report, Scope scope, bool imported) {
  const Site& site = report.stored.site;
  const SiteCounts& counts = report.stored.counts;
  Json object{{"id", site.id},
              {"name", site.name},
              {"module_type", site.module_type},
              {"method", site.method},
              {"description", site.description},
              {"features", site.features},
              {"d_in", site.d_in},
              {"d_out", site.d_out},
              {"has_decoder", report.stored.has_decoder},
              {"steps", counts.steps},
              {"steps_collected", counts.steps_collected},
              {"calls", counts.calls},
              {"tokens_seen", counts.rows_seen},
              {"tokens_collected", counts.rows_collected},
              {"tokens_excluded", counts.rows_excluded},
              {"tokens_resolved", counts.rows_resolved},
              {"tokens_ambiguous", counts.rows_ambiguous},
              {"token_source", report.stored.tracing.source},
              {"token_stream", report.stored.tracing.stream},
              {"scope", json_of_scope(report.stored, scope)}};
  object.update(json_of_summary(report.summary, imported));
  object["samples"] = report.samples;
  object["samples_with_context_activations"] = report.contexts;
  return object;
}

void inform(const StoreRequest& request) {
  const StoreReader store(request.store);
  const Scope scope = chosen_scope(store, request.all_time);
  if (request.json) {
    Json object = json_of_run(store);
    object["runs"] = json_of_runs(store);
    object["sites"] = Json::array();
    for (const StoredSite& stored : store.sites()) {
      object["sites"].push_back(json_of_site(report_of(store, stored, scope), scope, store.run().imported.has_value()));
    }
    print_json(object);
    return;
  }
  print_run(store);
  for (const StoredSite& stored : store.sites()) print_site(report_of(store, stored, scope), scope, store.run());
  if (store.sites().empty()) std::cout << "\nno site: no module with features was met in this run\n";
}

}  // namespace

void add_info(CLI::App& program) {
  auto request = std::make_shared<StoreRequest>();
  CLI::App* sub = program.add_subcommand("info", "What a store holds and what its figures rest on");
  add_store_argument(*sub, *request);
  add_scope_option(*sub, *request);
  add_json_option(*sub, *request);
  sub->footer("Example: saetap info activation_samples");
  sub->callback([request] { inform(*request); });
}

}  // namespace saetap::cli

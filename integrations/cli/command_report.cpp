#include <iostream>
#include <memory>

#include "integrations/analysis/ranking.h"
#include "integrations/cli/commands.h"
#include "integrations/cli/opened_store.h"
#include "integrations/cli/progress.h"
#include "integrations/cli/ranking_option.h"
#include "integrations/cli/shared_options.h"
#include "integrations/cli/written_file.h"
#include "integrations/report/markdown_report.h"
#include "plugin/number_text.h"

namespace saetap::cli {
namespace {

struct ReportOptions {
  StoreRequest store;
  std::string output = "report.md";
  std::string sort = "max";
  std::size_t top = 50;
  std::size_t samples = 10;
  std::vector<std::int64_t> features;  // instead of the top ones
};

std::vector<std::uint32_t> chosen_features(const OpenedStore& store, const ReportOptions& options) {
  std::vector<std::uint32_t> features;
  if (!options.features.empty()) {
    for (const std::int64_t feature : options.features) features.push_back(checked_feature(store.stored(), feature));
    return features;
  }
  const std::vector<FeatureStatistics> statistics = store.reader.statistics(store.site(), store.scope);
  for (const RankedFeature& ranked :
       rank_features(statistics, store.facts().eligible, rank_by(options.sort), options.top)) {
    features.push_back(ranked.feature);
  }
  return features;
}

void report(const ReportOptions& options) {
  const OpenedStore store = open_store(options.store);
  ReportRequest request{.store = store.reader,
                        .site = store.stored(),
                        .scope = store.scope,
                        .scope_text = scope_text(store.stored(), store.scope, store.reader.run().lost_before),
                        .features = chosen_features(store, options),
                        .order = "",
                        .samples = options.samples,
                        .tokenizer = store.tokenizer.get(),
                        .progress = {}};
  request.order = options.features.empty()
                      ? "The " + count_text(request.features.size()) + " features of highest " + options.sort
                      : "The features asked for";
  Progress progress("features written", request.features.size());
  request.progress = [&](std::size_t done) { progress.update(done); };
  if (options.output == "-") {
    write_markdown_report(std::cout, request);
    return;
  }
  write_atomically(options.output, [&](std::ostream& out) { write_markdown_report(out, request); });
  progress.clear();
  std::cout << options.output << ": " << count_text(request.features.size()) << " features; read " << request.scope_text
            << '\n';
}

}  // namespace

void add_report(CLI::App& program) {
  auto options = std::make_shared<ReportOptions>();
  CLI::App* sub = program.add_subcommand("report", "Write the features of a site as a Markdown document");
  add_store_argument(*sub, options->store);
  add_output_option(*sub, options->output);
  add_sort_option(*sub, options->sort);
  sub->add_option("--top", options->top, "How many features")->check(CLI::PositiveNumber)->capture_default_str();
  add_features_option(*sub, options->features);
  sub->add_option("--samples", options->samples, "How many samples of each feature")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  add_scope_option(*sub, options->store);
  add_site_option(*sub, options->store);
  add_tokenizer_option(*sub, options->store);
  sub->footer("Example: saetap report activation_samples -o report.md --top 100 --sort density");
  sub->callback([options] { report(*options); });
}

}  // namespace saetap::cli

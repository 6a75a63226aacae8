#include <iostream>
#include <memory>

#include "integrations/analysis/ranking.h"
#include "integrations/analysis/visible_text.h"
#include "integrations/cli/commands.h"
#include "integrations/cli/counted.h"
#include "integrations/cli/opened_store.h"
#include "integrations/cli/progress.h"
#include "integrations/cli/ranking_option.h"
#include "integrations/cli/report_json.h"
#include "integrations/cli/shared_options.h"
#include "integrations/cli/written_file.h"
#include "integrations/report/html_writer.h"
#include "integrations/report/markdown_writer.h"
#include "integrations/report/site_report.h"
#include "plugin/number_text.h"

namespace saetap::cli {
namespace {

struct ReportOptions {
  StoreRequest store;
  std::string output;  // empty: report.md or report.html
  std::string sort = "max";
  std::size_t top = 50;
  std::size_t samples = 10;
  bool html = false;
  std::vector<std::int64_t> features;  // instead of the top ones
};

std::vector<std::uint32_t> top_features(const OpenedStore& store, const ReportOptions& options) {
  const std::vector<FeatureStatistics> statistics = store.reader.statistics(store.site(), store.scope);
  std::vector<std::uint32_t> features;
  for (const auto& ranked : rank_features(statistics, store.facts().eligible, rank_by(options.sort), options.top)) {
    features.push_back(ranked.feature);
  }
  return features;
}

ReportRequest request_of(const OpenedStore& store, const ReportOptions& options) {
  const bool asked = !options.features.empty();
  ReportRequest request{.store = store.reader,
                        .site = store.stored(),
                        .scope = store.scope,
                        .scope_text = scope_text(store.stored(), store.scope, store.reader.run().lost_before),
                        .features = asked ? asked_features(store.reader, store.stored(), store.scope, options.features)
                                          : top_features(store, options),
                        .order = "The features asked for",
                        .samples = options.samples,
                        .tokenizer = store.tokenizer.get(),
                        .progress = {}};
  if (!asked) request.order = "The " + counted(request.features.size(), "feature") + " of highest " + options.sort;
  return request;
}

void write_to(std::ostream& out, bool html, const ReportRequest& request, const ReportMaterial& material) {
  if (html) {
    HtmlWriter writer(out);
    return write_report(writer, request, material);
  }
  MarkdownWriter writer(out);
  write_report(writer, request, material);
}

void report(const ReportOptions& options) {
  const OpenedStore store = open_store(options.store);
  ReportRequest request = request_of(store, options);
  Progress reading("samples of features read", 2 * static_cast<std::size_t>(store.stored().site.features));
  const ReportMaterial material = read_material(request, [&](std::size_t done) { reading.update(done); });
  reading.clear();
  Progress progress("features written", request.features.size());
  request.progress = [&](std::size_t done) { progress.update(done); };
  if (options.store.json) return print_report_json(store, request, material);
  const std::string output = !options.output.empty() ? options.output : options.html ? "report.html" : "report.md";
  if (output == "-") return write_to(std::cout, options.html, request, material);
  write_atomically(output, [&](std::ostream& out) { write_to(out, options.html, request, material); });
  progress.clear();
  std::cout << visible(output) << ": " << counted(request.features.size(), "feature") << "; read " << request.scope_text
            << '\n';
}

}  // namespace

void add_report(CLI::App& program) {
  auto options = std::make_shared<ReportOptions>();
  CLI::App* sub = program.add_subcommand("report", "Write what is known of a site's features as a document");
  add_store_argument(*sub, options->store);
  sub->add_option("-o,--output", options->output, "File to write; - is stdout (default: report.md or report.html)")
      ->check(file_name())
      ->type_name("FILE");
  CLI::Option* const html =
      sub->add_flag("--html", options->html, "One self-contained HTML page instead of Markdown, with shaded tokens");
  add_sort_option(*sub, options->sort);
  sub->add_option("--top", options->top, "How many features")->check(at_least(1))->capture_default_str();
  add_features_option(*sub, options->features);
  add_samples_option(*sub, options->samples);
  add_scope_option(*sub, options->store);
  add_site_option(*sub, options->store);
  add_tokenizer_option(*sub, options->store);
  add_json_option(*sub, options->store);
  sub->get_option("--features")->excludes("--top")->excludes("--sort");
  sub->get_option("--json")->excludes(html)->excludes("--output");
  sub->footer("Example: saetap report activation_samples -o report.md --top 100 --sort density");
  sub->callback([options] { report(*options); });
}

}  // namespace saetap::cli

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>

#include "integrations/analysis/visible_text.h"
#include "integrations/cli/commands.h"
#include "integrations/cli/counted.h"
#include "integrations/cli/failure.h"
#include "integrations/cli/json_text.h"
#include "integrations/cli/opened_store.h"
#include "integrations/cli/progress.h"
#include "integrations/cli/ranking_option.h"
#include "integrations/cli/shared_options.h"
#include "integrations/cli/written_file.h"
#include "integrations/report/feature_lines.h"
#include "integrations/report/samples_csv.h"

namespace saetap::cli {
namespace {

// What samples.json holds unless the config says otherwise.
constexpr std::size_t kTopFeatures = 100, kSamples = 10;

struct ExportOptions {
  StoreRequest store;
  std::string format = "json";
  std::string output = "-";
  std::string sort = "max";
  std::optional<std::size_t> top;
  std::optional<std::size_t> samples;
  bool all = false;
  std::vector<std::int64_t> features;  // instead of the top ones
};

struct Written {
  std::size_t features = 0;
  std::size_t samples = 0;
};

void check(const ExportOptions& options) {
  if (options.store.json && options.output == "-") {
    throw Failure(Status::bad_input, "--json says what was written to a file: it needs --output with a name");
  }
  if (options.all && (options.top || !options.features.empty())) {
    throw Failure(Status::bad_input, "--all is every feature: not together with --top or --features");
  }
}

// All sites, unless one is asked for. Features are chosen of one site.
std::vector<int> chosen_sites(const ExportOptions& options, const StoreReader& reader) {
  if (options.store.site.empty() && options.features.empty()) return {};
  return {reader.sites()[chosen_site(reader, options.store.site)].site.id};
}

SamplesJsonOptions listed(const ExportOptions& options, const StoreReader& reader) {
  SamplesJsonOptions listed;
  listed.scope = chosen_scope(reader, options.store.all_time);
  listed.rank_by = rank_by(options.sort);
  listed.sites = chosen_sites(options, reader);
  const auto& imported = reader.run().imported;  // by itself all that it has is written
  std::int64_t most = imported ? imported->top_features : kTopFeatures;
  std::int64_t samples = imported ? imported->samples_per_feature : kSamples;
  if (options.all) {
    most = 0;
    for (const StoredSite* site : listed_sites(reader, listed)) most = std::max(most, site->site.features);
    samples = reader.run().kept_samples_per_feature;
  }
  listed.top_features = static_cast<std::int64_t>(options.top.value_or(static_cast<std::size_t>(most)));
  listed.samples_per_feature = static_cast<std::int64_t>(options.samples.value_or(static_cast<std::size_t>(samples)));
  if (!options.features.empty()) {
    listed.features = asked_features(reader, *listed_sites(reader, listed).front(), listed.scope, options.features);
  }
  return listed;
}

std::size_t features_to_write(const StoreReader& reader, const SamplesJsonOptions& listed) {
  std::size_t features = 0;
  for (const StoredSite* site : listed_sites(reader, listed)) {
    features += listed_features(reader.statistics(site->site.id, listed.scope), listed).size();
  }
  return features;
}

void write(std::ostream& out, const std::string& format, const ExportRequest& request) {
  if (format == "csv") return write_samples_csv(out, request);
  if (format == "jsonl") return write_feature_lines(out, request);
  const auto write_text = [&](std::string_view text) { out << text; };
  write_samples_json(request.store, write_text, request.listed);
}

void say(const ExportOptions& options, const StoreReader& reader, const ExportRequest& request,
         const Written& written) {
  const auto sites = listed_sites(reader, request.listed);
  if (options.store.json) {
    print_json({{"store", reader.path()},
                {"output", options.output},
                {"format", options.format},
                {"sites", sites.size()},
                {"features", written.features},
                {"samples", written.samples}});
    return;
  }
  std::cout << visible(options.output) << ": " << counted(written.features, "feature") << ", "
            << counted(written.samples, "sample") << '\n';
  for (const StoredSite* site : sites) {
    std::cout << "  " << visible(site->site.name) << ": "
              << scope_text(*site, request.listed.scope, reader.run().lost_before) << '\n';
  }
}

void export_store(const ExportOptions& options) {
  check(options);
  const StoreReader reader(options.store.store);
  ExportRequest request{.store = reader, .listed = listed(options, reader), .tokenizer = nullptr};
  const auto tokenizer = chosen_tokenizer(reader, options.store.tokenizer);
  request.tokenizer = tokenizer.get();
  if (tokenizer) {
    request.listed.decode = [&](std::span<const std::int32_t> tokens) { return tokenizer->excerpt(tokens); };
  }
  Written written;
  Progress progress("features written", features_to_write(reader, request.listed));
  request.listed.progress = [&](std::size_t samples) {
    written.samples += samples;
    progress.update(++written.features);
  };
  if (options.output == "-") return write(std::cout, options.format, request);
  write_atomically(options.output, [&](std::ostream& out) { write(out, options.format, request); });
  progress.clear();
  say(options, reader, request, written);
}

}  // namespace

void add_export(CLI::App& program) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* sub = program.add_subcommand("export", "Write features and samples for other programs, as JSON or CSV");
  add_store_argument(*sub, options->store);
  sub->add_option("--format", options->format,
                  "json: the format of samples.json; jsonl: a feature a line; csv: a sample a line")
      ->check(CLI::IsMember({"json", "jsonl", "csv"}))
      ->type_name("FORMAT")
      ->capture_default_str();
  add_output_option(*sub, options->output);
  add_sort_option(*sub, options->sort);
  sub->add_option("--top", options->top, "How many features of each site (default: 100)")->check(at_least(1));
  add_features_option(*sub, options->features);
  sub->add_option("--samples", options->samples, "How many samples of each feature (default: 10)")->check(at_least(1));
  sub->add_flag("--all", options->all, "Every feature that was active, with every sample that was kept");
  add_scope_option(*sub, options->store);
  sub->add_option("--site", options->store.site, "This site alone, where there are several (default: all)")
      ->type_name("N|NAME");
  add_tokenizer_option(*sub, options->store);
  sub->add_flag("--json", options->store.json, "Print what was written as one JSON object (docs/json_output.md)");
  sub->get_option("--features")->excludes("--top")->excludes("--sort");
  sub->footer("Example: saetap export activation_samples --format csv -o samples.csv --top 500");
  sub->callback([options] { export_store(*options); });
}

}  // namespace saetap::cli

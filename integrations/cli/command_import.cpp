#include <array>
#include <iostream>
#include <memory>

#include "integrations/analysis/visible_text.h"
#include "integrations/cli/commands.h"
#include "integrations/cli/counted.h"
#include "integrations/cli/failure.h"
#include "integrations/cli/json_text.h"
#include "integrations/cli/new_store.h"
#include "integrations/cli/progress.h"
#include "integrations/cli/shared_options.h"
#include "integrations/tokenizers/tokenizer.h"
#include "plugin/store/samples_json_import.h"
#include "plugin/store/store_reader.h"

namespace saetap::cli {
namespace {

struct ImportRequest {
  std::string input;
  std::string output;
  std::string tokenizer;
  bool force = false;
  bool json = false;
};

// Null if there is none, or none that can be read: then the store has the text of the tokens that the file gives.
std::unique_ptr<Tokenizer> loaded(const std::string& path) {
  if (path.empty()) return nullptr;
  try {
    return load_tokenizer(path);
  } catch (const TokenizerError& error) {
    std::cerr << "saetap: " << visible(error.what())
              << "; of tokens that no sample activates on ids will be shown (--tokenizer FILE names another)\n";
    return nullptr;
  }
}

struct Imported {
  std::uint64_t features = 0;
  std::uint64_t samples = 0;
};

Imported count(const StoreReader& store) {
  Imported all;
  for (const StoredSite& site : store.sites()) {
    const auto statistics = store.statistics(site.site.id, Scope::recent);
    for (std::uint32_t feature = 0; feature < statistics.size(); ++feature) {
      if (statistics[feature].active == 0) continue;
      ++all.features;
      all.samples += store.samples(site.site.id, feature, Scope::recent).size();
    }
  }
  return all;
}

void import(const ImportRequest& request) {
  const std::string output = new_store_path(request.output, request.force);
  const std::string named = tokenizer_of_samples_json(request.input);
  const auto tokenizer = loaded(request.tokenizer.empty() ? named : request.tokenizer);
  ImportOptions options{.tokenizer = request.tokenizer, .known_text = {}, .progress = {}};
  if (tokenizer) {
    options.known_text = [&](std::int32_t token) { return tokenizer->excerpt(std::array{token}); };
  }
  Progress progress("features read", 0);
  options.progress = [&](std::uint64_t features) { progress.update(features); };
  import_samples_json(request.input, output, options);
  progress.clear();
  const StoreReader store(output);
  const Imported all = count(store);
  if (request.json) {
    print_json(
        {{"store", output}, {"sites", store.sites().size()}, {"features", all.features}, {"samples", all.samples}});
    return;
  }
  std::cout << visible(output) << ": " << counted(store.sites().size(), "site") << ", "
            << counted(all.features, "feature") << ", " << counted(all.samples, "sample") << '\n';
}

}  // namespace

void add_import(CLI::App& program) {
  auto request = std::make_shared<ImportRequest>();
  CLI::App* sub = program.add_subcommand("import", "Make a store of a samples.json, which every command can read");
  sub->add_option("FILE", request->input, "What a run, or saetap export, wrote as samples.json")->required();
  add_new_store_option(*sub, request->output);
  add_tokenizer_option(*sub, request->tokenizer, "the one that the file names");
  add_force_option(*sub, request->force);
  add_json_option(*sub, request->json);
  sub->footer(
      "It has the features and samples that the file lists. Histograms, random samples, decoder directions, text\n"
      "farther away from samples, and all other features are not in a samples.json.\n"
      "Example: saetap import samples.json -o imported.saetap");
  sub->callback([request] { import(*request); });
}

}  // namespace saetap::cli

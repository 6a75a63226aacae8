#include <algorithm>
#include <iostream>
#include <memory>

#include "integrations/cli/commands.h"
#include "integrations/cli/comparison_text.h"
#include "integrations/cli/failure.h"
#include "integrations/cli/histogram_text.h"
#include "integrations/cli/opened_store.h"
#include "integrations/cli/shared_options.h"
#include "integrations/cli/table.h"

namespace saetap::cli {
namespace {

constexpr int kMostCompared = 8;  // more are no longer beside each other

struct CompareRequest {
  StoreRequest store;
  std::vector<std::int64_t> features;
  FactsWanted wanted{.samples = 5, .context = {}, .groups = 0, .examples = 0};
  std::string color = "auto";
};

ComparedFeature read_feature(const OpenedStore& store, const FactsReader& reader, std::uint32_t feature,
                             const FactsWanted& wanted) {
  ComparedFeature compared{.facts = reader.read(feature, wanted),
                           .direction = store.reader.decoder_direction(store.site(), feature),
                           .all_at_random = false};
  compared.all_at_random = compared.facts.random_samples.size() < store.reader.run().kept_random_samples_per_feature;
  return compared;
}

std::vector<std::uint32_t> checked_features(const OpenedStore& store, const std::vector<std::int64_t>& wanted) {
  std::vector<std::uint32_t> features;
  for (const std::int64_t feature : wanted) {
    features.push_back(checked_feature(store, feature));
    if (std::ranges::count(features, features.back()) > 1) {
      throw Failure(Status::bad_input, "feature " + std::to_string(feature) + " is named twice: features are compared");
    }
  }
  return features;
}

Comparison compare_features(const OpenedStore& store, const CompareRequest& request) {
  Comparison comparison;
  const std::vector<std::uint32_t> features = checked_features(store, request.features);
  const FactsReader reader(store.reader, store.stored(), store.scope, store.tokenizer.get());
  for (const std::uint32_t feature : features) {
    comparison.features.push_back(read_feature(store, reader, feature, request.wanted));
  }
  for (std::size_t i = 0; i < features.size(); ++i) {
    for (std::size_t j = i + 1; j < features.size(); ++j) {
      comparison.pairs.push_back(pair_of(comparison.features[i], comparison.features[j]));
    }
  }
  return comparison;
}

void compare(const CompareRequest& request) {
  const OpenedStore store = open_store(request.store);
  const Comparison comparison = compare_features(store, request);
  if (request.store.json) {
    Json object{{"store", store.reader.path()},
                {"site", store.stored().site.name},
                {"scope", json_of_scope(store.stored(), store.scope)}};
    object.update(json_of(comparison, store.tokenizer.get()));
    print_json(object);
    return;
  }
  const PageStyle style{.tokenizer = store.tokenizer.get(),
                        .colors = Colors(request.color),
                        .columns = terminal_columns(),
                        .blocks = locale_has_utf8()};
  std::cout << scope_text(store.stored(), store.scope, store.reader.run().lost_before) << "\n\n";
  print_comparison(comparison, store.reader.run().sample_activation_threshold, style);
}

}  // namespace

void add_compare(CLI::App& program) {
  auto request = std::make_shared<CompareRequest>();
  CLI::App* sub =
      program.add_subcommand("compare", "Show some features beside each other, and what they have in common");
  add_store_argument(*sub, request->store);
  sub->add_option("FEATURE", request->features, "Their numbers, two to " + std::to_string(kMostCompared))
      ->required()
      ->check(feature_number())
      ->expected(2, kMostCompared);
  add_samples_option(*sub, request->wanted.samples);
  add_context_option(*sub, request->wanted.context);
  add_color_option(*sub, request->color);
  add_scope_option(*sub, request->store);
  add_site_option(*sub, request->store);
  add_tokenizer_option(*sub, request->store);
  add_json_option(*sub, request->store);
  sub->footer("Example: saetap compare activation_samples 1730 412 --samples 3");
  sub->callback([request] { compare(*request); });
}

}  // namespace saetap::cli

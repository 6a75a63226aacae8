#include <iostream>
#include <memory>
#include <optional>

#include "integrations/cli/commands.h"
#include "integrations/cli/feature_json.h"
#include "integrations/cli/feature_text.h"
#include "integrations/cli/histogram_text.h"
#include "integrations/cli/opened_store.h"
#include "integrations/cli/shared_options.h"
#include "integrations/cli/table.h"
#include "integrations/cli/unembedding.h"

namespace saetap::cli {
namespace {

constexpr std::size_t kNeighborsShown = 3;

struct ShowRequest {
  StoreRequest store;
  std::int64_t feature = 0;
  FactsWanted wanted;
  std::string unembedding;
  std::string color = "auto";
};

FeatureFacts read_feature(const OpenedStore& store, const FactsReader& reader, const ShowRequest& request) {
  const std::uint32_t feature = checked_feature(store, request.feature);
  FeatureFacts facts = reader.read(feature, request.wanted);
  facts.neighbors = nearest_in_store(store.reader, store.stored(), feature, kNeighborsShown);
  if (!request.unembedding.empty()) facts.direction = read_direction_tokens(store, feature, request.unembedding);
  return facts;
}

void print_feature(const OpenedStore& store, const FeatureFacts& facts, const std::string& color) {
  const PageStyle style{.tokenizer = store.tokenizer.get(),
                        .colors = Colors(color),
                        .columns = terminal_columns(),
                        .blocks = locale_has_utf8()};
  std::cout << scope_text(store.stored(), store.scope, store.reader.run().lost_before) << '\n';
  print_figures(facts, style);
  print_samples(facts, store.reader.run().sample_activation_threshold, style);
  print_notes(facts, style);
}

Json json_of(const OpenedStore& store, const FactsReader& reader, const FeatureFacts& facts,
             std::optional<std::uint32_t> context) {
  const Tokenizer* tokenizer = store.tokenizer.get();
  Json object{{"store", store.reader.path()},
              {"site", store.stored().site.name},
              {"scope", json_of_scope(store.stored(), store.scope)},
              {"feature", facts.feature}};
  object.update(json_of_figures(facts));
  object["activating_tokens"] = json_of_activating_tokens(facts.tokens, tokenizer);
  if (facts.direction) object["direction"] = json_of_direction(*facts.direction, tokenizer);
  object["samples_kept"] = facts.samples.size();
  object["age"] = json_of_age(facts.age);
  object["samples"] = json_of_shown(facts.strongest);
  object["groups"] = json_of_groups(facts.groups);
  object["random_samples"] = json_of_shown(reader.random_samples(facts, context));
  return object;
}

void show(const ShowRequest& request) {
  const OpenedStore store = open_store(request.store);
  const FactsReader reader(store.reader, store.stored(), store.scope, store.tokenizer.get());
  const FeatureFacts facts = read_feature(store, reader, request);
  if (request.store.json) {
    print_json(json_of(store, reader, facts, request.wanted.context));
  } else {
    print_feature(store, facts, request.color);
  }
}

}  // namespace

void add_show(CLI::App& program) {
  auto request = std::make_shared<ShowRequest>();
  CLI::App* sub = program.add_subcommand("show", "Show one feature: its figures, its tokens, its samples");
  add_store_argument(*sub, request->store);
  sub->add_option("FEATURE", request->feature, "Number of the feature")->check(feature_number())->required();
  add_samples_option(*sub, request->wanted.samples);
  add_context_option(*sub, request->wanted.context);
  add_unembedding_option(*sub, request->unembedding);
  add_color_option(*sub, request->color);
  add_scope_option(*sub, request->store);
  add_site_option(*sub, request->store);
  add_tokenizer_option(*sub, request->store);
  add_json_option(*sub, request->store);
  sub->footer("Example: saetap show activation_samples 1730 --samples 10");
  sub->callback([request] { show(*request); });
}

}  // namespace saetap::cli

#include <iostream>
#include <memory>
#include <optional>

#include "integrations/analysis/activating_tokens.h"
#include "integrations/analysis/excerpt.h"
#include "integrations/analysis/ranking.h"
#include "integrations/analysis/visible_text.h"
#include "integrations/cli/commands.h"
#include "integrations/cli/counted.h"
#include "integrations/cli/failure.h"
#include "integrations/cli/json_text.h"
#include "integrations/cli/opened_store.h"
#include "integrations/cli/ranking_option.h"
#include "integrations/cli/shared_options.h"
#include "integrations/cli/table.h"
#include "plugin/number_text.h"

namespace saetap::cli {
namespace {

constexpr std::size_t kTokensShown = 3;
constexpr std::size_t kTokenColumns = 14;  // of one token in the table

struct FeaturesRequest {
  StoreRequest store;
  std::string sort = "max";
  std::size_t top = 20;
  std::string min_density = "0";
  std::string max_density = "1";
};

// One line of the list.
struct ListedFeature {
  RankedFeature ranked;
  std::vector<Sample> samples;
  std::vector<TokenCount> tokens;
  Excerpt strongest;  // of samples.front(), if there is one
};

ListedFeature listed(const OpenedStore& store, const RankedFeature& ranked) {
  ListedFeature feature{.ranked = ranked,
                        .samples = store.reader.samples(store.site(), ranked.feature, store.scope),
                        .tokens = {},
                        .strongest = {}};
  feature.tokens = commonest_tokens(store.reader, feature.samples, kTokensShown);
  if (!feature.samples.empty()) {
    const std::uint32_t context = store.reader.run().sample_context_size;
    feature.strongest = read_excerpt(store.reader, feature.samples.front(), context, context, store.tokenizer.get());
  }
  return feature;
}

std::string tokens_text(const ListedFeature& feature, const Tokenizer* tokenizer) {
  std::string text;
  for (const TokenCount& counted : feature.tokens) {
    if (!text.empty()) text += kTokenSeparator;
    text += leading_columns(token_text(counted.token, tokenizer), kTokenColumns);
    text.append(1, ' ').append(std::to_string(counted.count));
  }
  return text;
}

void print_table(const OpenedStore& store, const std::vector<ListedFeature>& features) {
  using enum Align;
  constexpr std::size_t kStrongest = 6;
  Table table({right, right, right, right, right, left, left});
  table.add({"feature", "density", "max", "mean", "samples", "tokens of the strongest", ""});
  for (const ListedFeature& feature : features) {
    table.add({std::to_string(feature.ranked.feature), percent_text(feature.ranked.density),
               activation_text(feature.ranked.statistics.max), activation_text(feature.ranked.statistics.mean()),
               std::to_string(feature.samples.size()), tokens_text(feature, store.tokenizer.get()), ""});
  }
  const std::optional<std::size_t> columns = terminal_columns();
  const std::size_t room = columns ? table.room_for(kStrongest, *columns) : 0;
  table.set(0, kStrongest, "strongest");
  for (std::size_t i = 0; i < features.size(); ++i) {
    const Excerpt& strongest = features[i].strongest;
    if (!features[i].samples.empty()) {
      table.set(i + 1, kStrongest, columns ? marked(strongest, room) : marked(strongest));
    }
  }
  table.print();
}

Json json_of(const OpenedStore& store, const ListedFeature& feature) {
  Json object{{"feature", feature.ranked.feature}};
  object.update(json_of_statistics(feature.ranked.statistics, store.facts().eligible));
  object["samples"] = feature.samples.size();
  object["tokens"] = json_of_tokens(feature.tokens, store.tokenizer.get());
  if (!feature.samples.empty()) {
    object["strongest"] = json_of_sample(feature.samples.front(), feature.strongest);
  }
  return object;
}

// Of a feature that a samples.json does not list nothing is known.
std::string alive_text(const OpenedStore& store, const SiteSummary& summary) {
  if (store.reader.run().imported) {
    return count_text(summary.alive) + " of " + count_text(summary.alive + summary.dead) + " features are in the store";
  }
  return counted(summary.alive, "feature") + " alive, " + count_text(summary.dead) + " dead";
}

void list_features(const FeaturesRequest& request) {
  const DensityRange range{share_from(request.min_density, "--min-density"),
                           share_from(request.max_density, "--max-density")};
  if (range.lowest > range.highest) {
    throw Failure(Status::bad_input, "--min-density " + request.min_density + " is more than --max-density " +
                                         request.max_density + ": no density is in between");
  }
  const OpenedStore store = open_store(request.store);
  const std::vector<FeatureStatistics> statistics = store.reader.statistics(store.site(), store.scope);
  const std::uint64_t eligible = store.facts().eligible;
  std::vector<ListedFeature> features;
  for (const auto& ranked : rank_features(statistics, eligible, rank_by(request.sort), request.top, range)) {
    features.push_back(listed(store, ranked));
  }
  if (request.store.json) {
    Json object{{"store", store.reader.path()},
                {"site", store.stored().site.name},
                {"scope", json_of_scope(store.stored(), store.scope)},
                {"sort", request.sort},
                {"features", Json::array()}};
    for (const ListedFeature& feature : features) object["features"].push_back(json_of(store, feature));
    print_json(object);
    return;
  }
  std::cout << scope_text(store.stored(), store.scope, store.reader.run().lost_before) << '\n'
            << alive_text(store, summarize(statistics, eligible)) << "; listed: " << count_text(features.size())
            << " of highest " << request.sort << "\n\n";
  if (!features.empty()) print_table(store, features);
}

}  // namespace

void add_features(CLI::App& program) {
  auto request = std::make_shared<FeaturesRequest>();
  CLI::App* sub = program.add_subcommand("features", "List the features of a site, best first");
  add_store_argument(*sub, request->store);
  add_sort_option(*sub, request->sort);
  sub->add_option("--top", request->top, "How many to list")->check(at_least(1))->capture_default_str();
  sub->add_option("--min-density", request->min_density, "Only features active on at least this share of tokens")
      ->type_name("SHARE");
  sub->add_option("--max-density", request->max_density, "Only features active on at most this share of tokens")
      ->type_name("SHARE");
  add_scope_option(*sub, request->store);
  add_site_option(*sub, request->store);
  add_tokenizer_option(*sub, request->store);
  add_json_option(*sub, request->store);
  sub->footer("Example: saetap features activation_samples --sort density --max-density 5%");
  sub->callback([request] { list_features(*request); });
}

}  // namespace saetap::cli

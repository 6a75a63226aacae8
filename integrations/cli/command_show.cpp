#include <array>
#include <iostream>
#include <memory>
#include <optional>

#include "integrations/analysis/activating_tokens.h"
#include "integrations/analysis/decoder_neighbors.h"
#include "integrations/analysis/excerpt.h"
#include "integrations/cli/commands.h"
#include "integrations/cli/json_text.h"
#include "integrations/cli/opened_store.h"
#include "integrations/cli/table.h"
#include "plugin/number_text.h"

namespace saetap::cli {
namespace {

constexpr std::size_t kNeighborsShown = 3;
constexpr std::size_t kTokensShown = 8;

struct ShowRequest {
  StoreRequest store;
  std::int64_t feature = 0;
  std::size_t top = 20;
  std::optional<std::uint32_t> context;  // default: as many as were kept
};

struct ShownSample {
  Sample sample;
  Excerpt excerpt;
  std::vector<std::optional<float>> along;  // activations at the tokens of the excerpt; empty: not known
};

struct ShownFeature {
  std::uint32_t feature = 0;
  FeatureStatistics statistics;
  ActivationHistogram histogram;
  std::vector<Neighbor> neighbors;
  std::vector<TokenCount> tokens;
  std::size_t samples_kept = 0;
  std::vector<ShownSample> samples;
  std::vector<Sample> random_samples;
};

// Shares of the active values below which a quantile lies.
constexpr std::array<int, 5> kQuantiles{10, 25, 50, 75, 99};

ShownFeature read_feature(const OpenedStore& store, const ShowRequest& request) {
  ShownFeature shown;
  shown.feature = checked_feature(store.stored(), request.feature);
  shown.statistics = store.reader.statistics(store.site(), store.scope)[shown.feature];
  shown.histogram = store.reader.histogram(store.site(), shown.feature, store.scope);
  const DecoderNeighbors neighbors(store.reader.decoder_directions(store.site()), store.stored().site.features);
  shown.neighbors = neighbors.nearest(shown.feature, kNeighborsShown);
  const std::vector<Sample> samples = store.reader.samples(store.site(), shown.feature, store.scope);
  shown.samples_kept = samples.size();
  shown.tokens = commonest_tokens(store.reader, samples, kTokensShown);
  shown.random_samples = store.reader.random_samples(store.site(), shown.feature, store.scope);
  const std::uint32_t context = request.context.value_or(store.reader.run().sample_context_size);
  const auto top = std::span(samples).first(std::min(request.top, samples.size()));
  const auto around = store.reader.context_activations(store.site(), shown.feature, store.scope, top);
  for (std::size_t i = 0; i < top.size(); ++i) {
    Excerpt excerpt = read_excerpt(store.reader, top[i], context, context, store.tokenizer.get());
    auto along = activations_along(top[i], around[i], store.reader.run().sample_context_size, excerpt.ids.size(),
                                   excerpt.activating);
    shown.samples.push_back({top[i], std::move(excerpt), std::move(along)});
  }
  return shown;
}

std::string header_text(const ShownFeature& shown, std::uint64_t eligible) {
  const FeatureStatistics& statistics = shown.statistics;
  std::string text = "feature " + std::to_string(shown.feature) + "   density " +
                     percent_text(statistics.density(eligible)) + "   max " + activation_text(statistics.max) +
                     "   mean " + activation_text(statistics.mean()) + "   std " +
                     activation_text(statistics.standard_deviation());
  for (std::size_t i = 0; i < shown.neighbors.size(); ++i) {
    text += (i == 0 ? "   decoder-nearest " : ", ") + std::to_string(shown.neighbors[i].feature) + " (" +
            activation_text(shown.neighbors[i].cosine) + ")";
  }
  return text;
}

// The middle of a bin may lie above all that is in it.
float quantile(const ShownFeature& shown, int percent) {
  return std::min(shown.histogram.quantile(percent / 100.0), std::abs(shown.statistics.max));
}

// "size of its active values ±9 %: 10 % below 0.41 · 50 % below 1.33 · …"
std::string quantiles_text(const ShownFeature& shown) {
  std::string text = "size of its active values ±9 %:";
  for (const int percent : kQuantiles) {
    text += (percent == kQuantiles.front() ? " " : " · ") + std::to_string(percent) + " % below " +
            activation_text(quantile(shown, percent));
  }
  return text;
}

std::string tokens_text(const ShownFeature& shown, const Tokenizer* tokenizer) {
  std::string text;
  for (const TokenCount& counted : shown.tokens) {
    if (!text.empty()) text += kTokenSeparator;
    text += token_text(counted.token, tokenizer);
    text.append(1, ' ').append(std::to_string(counted.count));
  }
  return text;
}

void print_samples(const std::vector<ShownSample>& samples) {
  using enum Align;
  constexpr std::size_t kExcerpt = 2;
  Table table({right, right, left, left});
  for (std::size_t i = 0; i < samples.size(); ++i) {
    table.add({std::to_string(i + 1), activation_text(samples[i].sample.activation), "",
               "step " + std::to_string(samples[i].sample.step)});
  }
  const std::optional<std::size_t> columns = terminal_columns();
  const std::size_t room = columns ? table.room_for(kExcerpt, *columns) : 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Excerpt& excerpt = samples[i].excerpt;
    table.set(i, kExcerpt, columns ? marked(excerpt, room) : marked(excerpt));
  }
  table.print();
}

void print_feature(const OpenedStore& store, const ShownFeature& shown) {
  std::cout << header_text(shown, store.facts().eligible) << '\n'
            << scope_text(store.stored(), store.scope, store.reader.run().lost_before) << '\n';
  if (shown.histogram.total() > 0) std::cout << quantiles_text(shown) << '\n';
  if (shown.samples_kept == 0) {
    std::cout << (shown.statistics.active == 0
                      ? "never active here: no samples"
                      : "active, but never from " + activation_text(store.reader.run().sample_activation_threshold) +
                            " up: no samples")
              << '\n';
    return;
  }
  if (!shown.tokens.empty()) {
    std::cout << "activating tokens of " << shown.samples_kept
              << " samples: " << tokens_text(shown, store.tokenizer.get()) << '\n';
  }
  std::cout << '\n';
  print_samples(shown.samples);
}

Json json_of(const OpenedStore& store, const ShownFeature& shown) {
  Json object{{"store", store.reader.path()},
              {"site", store.stored().site.name},
              {"scope", json_of_scope(store.stored(), store.scope)},
              {"feature", shown.feature}};
  object.update(json_of_statistics(shown.statistics, store.facts().eligible));
  object["quantiles"] = Json::object();
  for (const int percent : kQuantiles) {
    const bool any = shown.histogram.total() > 0;
    object["quantiles"][std::to_string(percent)] = any ? Json(quantile(shown, percent)) : Json(nullptr);
  }
  object["decoder_nearest"] = Json::array();
  for (const Neighbor& neighbor : shown.neighbors) {
    object["decoder_nearest"].push_back({{"feature", neighbor.feature}, {"cosine", neighbor.cosine}});
  }
  object["tokens"] = json_of_tokens(shown.tokens, store.tokenizer.get());
  object["samples_kept"] = shown.samples_kept;
  object["samples"] = Json::array();
  for (const ShownSample& shown_sample : shown.samples) {
    Json& sample = object["samples"].emplace_back(json_of_sample(shown_sample.sample, shown_sample.excerpt));
    if (!shown_sample.along.empty()) sample["activations"] = json_of_activations(shown_sample.along);
  }
  object["random_samples"] = Json::array();
  const std::uint32_t context = store.reader.run().sample_context_size;
  for (const Sample& sample : shown.random_samples) {
    const Excerpt excerpt = read_excerpt(store.reader, sample, context, context, store.tokenizer.get());
    object["random_samples"].push_back(json_of_sample(sample, excerpt));
  }
  return object;
}

void show(const ShowRequest& request) {
  const OpenedStore store = open_store(request.store);
  const ShownFeature shown = read_feature(store, request);
  if (request.store.json) {
    print_json(json_of(store, shown));
  } else {
    print_feature(store, shown);
  }
}

}  // namespace

void add_show(CLI::App& program) {
  auto request = std::make_shared<ShowRequest>();
  CLI::App* sub = program.add_subcommand("show", "Show one feature by its strongest samples");
  add_store_argument(*sub, request->store);
  sub->add_option("FEATURE", request->feature, "Number of the feature")->required();
  sub->add_option("--top", request->top, "How many samples to show")->check(CLI::PositiveNumber)->capture_default_str();
  sub->add_option("--context", request->context, "Tokens to show on each side (default: as many as were kept)")
      ->check(CLI::Range(0, 100000));
  add_scope_option(*sub, request->store);
  add_site_option(*sub, request->store);
  add_tokenizer_option(*sub, request->store);
  add_json_option(*sub, request->store);
  sub->footer("Example: saetap show activation_samples 1730 --top 10");
  sub->callback([request] { show(*request); });
}

}  // namespace saetap::cli

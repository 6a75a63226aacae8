#include "integrations/cli/comparison_text.h"

#include <algorithm>
#include <iostream>

#include "integrations/analysis/activating_tokens.h"
#include "integrations/cli/feature_json.h"
#include "integrations/cli/table.h"
#include "integrations/report/statistic_text.h"
#include "plugin/number_text.h"

namespace saetap::cli {
namespace {

constexpr std::size_t kTokensShown = 5;

template <typename Cell>
void add_row(Table& table, const std::string& name, const Comparison& comparison, Cell cell) {
  std::vector<std::string> row{name};
  for (const ComparedFeature& feature : comparison.features) row.push_back(cell(feature.facts));
  table.add(row);
}

// "nod 40 (210 times)"
std::string token_cell(const FeatureFacts& facts, std::size_t i, const Tokenizer* tokenizer) {
  const auto& tokens = facts.tokens.tokens;
  if (i >= tokens.size()) return "";
  return token_text(tokens[i].token, tokenizer) + " " + std::to_string(tokens[i].count) + " (" +
         lift_text(tokens[i].lift) + ", p " + p_text(tokens[i].p) + ")";
}

void print_side_by_side(const Comparison& comparison, const PageStyle& style) {
  Table table(std::vector<Align>(comparison.features.size() + 1, Align::left));
  add_row(table, "feature", comparison, [](const FeatureFacts& f) { return std::to_string(f.feature); });
  add_row(table, "density", comparison, density_text);
  add_row(table, "active on", comparison, [](const FeatureFacts& f) {
    return count_text(f.statistics.active) + " of " + count_text(f.eligible) + " tokens";
  });
  add_row(table, "max", comparison,
          [](const FeatureFacts& f) { return f.statistics.active == 0 ? "" : activation_text(f.statistics.max); });
  add_row(table, "mean", comparison, mean_text);
  add_row(table, "std", comparison, [](const FeatureFacts& f) {
    return f.statistics.active == 0 ? "" : activation_text(f.statistics.standard_deviation());
  });
  add_row(table, "half below", comparison,
          [](const FeatureFacts& f) { return f.histogram.total() == 0 ? "" : activation_text(f.quantile(50)); });
  for (std::size_t i = 0; i < kTokensShown; ++i) {
    add_row(table, i == 0 ? "tokens" : "", comparison,
            [&](const FeatureFacts& f) { return token_cell(f, i, style.tokenizer); });
  }
  add_row(table, "", comparison, [](const FeatureFacts& f) {
    return f.tokens.of == 0 ? ""
                            : (f.tokens.at_random ? "of " + std::to_string(f.tokens.of) + " at random"
                                                  : "of the " + std::to_string(f.tokens.of) + " strongest");
  });
  table.print();
}

std::string figure_text(const std::optional<double>& figure) {
  return figure ? activation_text(*figure) : "-";
}

std::string activity_text(const SharedActivity& activity) {
  if (activity.either == 0) return "-";
  return std::to_string(activity.both) + " of " + std::to_string(activity.either) + " (" +
         percent_text(activity.share->low) + " to " + percent_text(activity.share->high) + ")";
}

void print_pairs(const Comparison& comparison, const PageStyle& style) {
  using enum Align;
  std::cout << '\n' << style.colors.bold("pairs") << '\n';
  Table table({left, right, right, right, right, right});
  table.add({"", "decoder cosine", "both active, of places of either", "strength at these", "strongest shared",
             "tokens in common"});
  for (const FeaturePair& pair : comparison.pairs) {
    const std::string common = "n " + std::to_string(pair.common_places);
    table.add({std::to_string(pair.first) + " and " + std::to_string(pair.second), figure_text(pair.cosine),
               activity_text(pair.activity), figure_text(pair.correlation) + " (" + common + ")",
               std::to_string(pair.shared_strongest),
               pair.token_overlap ? percent_text(*pair.token_overlap) : std::string("-")});
  }
  table.print();
}

void print_samples_of(const ComparedFeature& feature, float threshold, const PageStyle& style) {
  const FeatureFacts& facts = feature.facts;
  std::cout << '\n' << style.colors.bold("feature " + std::to_string(facts.feature)) << ": ";
  if (facts.samples.empty()) {
    std::cout << no_samples_text(facts, threshold) << '\n';
    return;
  }
  std::cout << "strongest " << facts.strongest.size() << " of " << facts.samples.size() << " kept\n";
  print_strongest(facts, style);
}

Json json_of_pair(const FeaturePair& pair) {
  const auto number = [](const std::optional<double>& figure) { return figure ? Json(*figure) : Json(nullptr); };
  const SharedActivity& activity = pair.activity;
  return {{"features", {pair.first, pair.second}},
          {"cosine", number(pair.cosine)},
          {"shared_strongest", pair.shared_strongest},
          {"activity",
           {{"either", activity.either},
            {"first", activity.first},
            {"second", activity.second},
            {"both", activity.both},
            {"share_interval", activity.share ? Json{activity.share->low, activity.share->high} : Json(nullptr)}}},
          {"rank_correlation", number(pair.correlation)},
          {"common_places", pair.common_places},
          {"token_overlap", number(pair.token_overlap)}};
}

}  // namespace

void print_comparison(const Comparison& comparison, float threshold, const PageStyle& style) {
  print_side_by_side(comparison, style);
  print_pairs(comparison, style);
  for (const ComparedFeature& feature : comparison.features) print_samples_of(feature, threshold, style);
  std::cout << '\n'
            << style.colors.faint(
                   "Both active: a random sample of the places where either is. Strength: rank correlation over the "
                   "places in both random samples, from 10 on.")
            << '\n';
  print_notes(comparison.features.front().facts, style);
}

Json json_of(const Comparison& comparison, const Tokenizer* tokenizer) {
  Json features = Json::array(), pairs = Json::array();
  for (const ComparedFeature& feature : comparison.features) {
    Json& object = features.emplace_back(Json{{"feature", feature.facts.feature}});
    object.update(json_of_figures(feature.facts));
    object.erase("decoder_nearest");  // not looked for
    object["activating_tokens"] = json_of_activating_tokens(feature.facts.tokens, tokenizer);
    object["samples_kept"] = feature.facts.samples.size();
    object["samples"] = json_of_shown(feature.facts.strongest);
  }
  for (const FeaturePair& pair : comparison.pairs) pairs.push_back(json_of_pair(pair));
  return {{"features", std::move(features)}, {"pairs", std::move(pairs)}};
}

}  // namespace saetap::cli

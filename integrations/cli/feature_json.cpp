#include "integrations/cli/feature_json.h"

#include <array>
#include <cmath>

namespace saetap::cli {
namespace {

constexpr std::array<int, 5> kQuantiles{10, 25, 50, 75, 99};

Json json_of_interval(const std::optional<Interval>& interval) {
  return interval ? Json{interval->low, interval->high} : Json(nullptr);
}

double bin_begin(std::size_t bin) {
  constexpr double kBias = 127;
  return std::exp2(static_cast<double>(bin) / kBinsPerOctave - kBias);
}

Json json_of_histogram(const ActivationHistogram& histogram) {
  Json bins = Json::array();
  for (std::size_t i = 0; i < histogram.counts().size(); ++i) {
    if (histogram.counts()[i] == 0) continue;
    const std::size_t bin = histogram.first() + i;
    bins.push_back({{"from", bin_begin(bin)}, {"to", bin_begin(bin + 1)}, {"count", histogram.counts()[i]}});
  }
  return bins;
}

Json json_of_logits(const std::vector<DirectionToken>& tokens, const Tokenizer* tokenizer) {
  Json list = Json::array();
  for (const DirectionToken& token : tokens) {
    Json entry{{"id", token.token}, {"logit", token.logit}};
    if (tokenizer) entry["text"] = token_text(token.token, tokenizer);
    list.push_back(std::move(entry));
  }
  return list;
}

Json counted_share(const ActivatingTokens& tokens) {
  if (tokens.text_counted == 0) return nullptr;
  return static_cast<double>(tokens.text_tokens) / static_cast<double>(tokens.text_counted);
}

}  // namespace

Json json_of_summary(const SiteSummary& summary, bool imported) {
  const auto unless_imported = [&](auto figure) { return imported ? Json(nullptr) : Json(figure); };
  return {{"alive", summary.alive},
          {"dead", unless_imported(summary.dead)},
          {"mean_active", unless_imported(summary.mean_active)},
          {"density_p10", summary.density_p10},
          {"density_median", summary.density_median},
          {"density_p90", summary.density_p90},
          {"dense", summary.dense},
          {"nonfinite", unless_imported(summary.nonfinite)},
          {"negative", unless_imported(summary.negative)}};
}

Json json_of_figures(const FeatureFacts& facts) {
  Json object = json_of_statistics(facts.statistics, facts.eligible);
  object["density_interval"] = json_of_interval(facts.density_interval);
  object["mean_interval"] = json_of_interval(facts.mean_interval);
  object["quantiles"] = Json::object();
  for (const int percent : kQuantiles) {
    const bool any = facts.histogram.total() > 0;
    object["quantiles"][std::to_string(percent)] = any ? Json(facts.quantile(percent)) : Json(nullptr);
  }
  object["histogram"] = json_of_histogram(facts.histogram);
  object["decoder_nearest"] = Json::array();
  for (const Neighbor& neighbor : facts.neighbors) {
    object["decoder_nearest"].push_back({{"feature", neighbor.feature}, {"cosine", neighbor.cosine}});
  }
  return object;
}

Json json_of_activating_tokens(const ActivatingTokens& tokens, const Tokenizer* tokenizer) {
  Json list = Json::array();
  for (const EnrichedToken& token : tokens.tokens) {
    Json entry{{"id", token.token}, {"count", token.count}, {"lift", token.lift}, {"p", token.p}};
    if (tokenizer) entry["text"] = token_text(token.token, tokenizer);
    list.push_back(std::move(entry));
  }
  return {{"among", tokens.at_random ? "random" : "strongest"},
          {"of", tokens.of},
          {"text_tokens", tokens.text_tokens},
          {"text_whole", tokens.text_tokens > 0 && tokens.text_tokens == tokens.text_counted},
          {"text_counted_share", counted_share(tokens)},
          {"tokens", std::move(list)}};
}

Json json_of_direction(const DirectionTokens& direction, const Tokenizer* tokenizer) {
  return {{"vocabulary", direction.vocabulary},
          {"promoted", json_of_logits(direction.promoted, tokenizer)},
          {"suppressed", json_of_logits(direction.suppressed, tokenizer)}};
}

Json json_of_age(const std::optional<SampleAge>& age) {
  if (!age) return nullptr;
  Json parts = Json::array();
  for (const AgedSamples& part : age->parts) {
    const char* name = part.part == PartKind::open ? "open" : part.part == PartKind::closed ? "closed" : "past";
    parts.push_back({{"part", name},
                     {"first_step", part.first_step},
                     {"last_step", part.last_step},
                     {"newest_share", part.newest},
                     {"samples", part.samples}});
  }
  return {{"first_step", age->first_step},
          {"median_step", age->median_step},
          {"last_step", age->last_step},
          {"parts", std::move(parts)}};
}

Json json_of_shown(const std::vector<ShownSample>& samples) {
  Json list = Json::array();
  for (const ShownSample& shown : samples) {
    Json& sample = list.emplace_back(json_of_sample(shown.sample, shown.excerpt));
    if (!shown.along.empty()) sample["activations"] = json_of_activations(shown.along);
  }
  return list;
}

Json json_of_groups(const std::vector<ShownGroup>& groups) {
  Json list = Json::array();
  for (const ShownGroup& group : groups) {
    list.push_back({{"weakest", as_printed(group.weakest)},
                    {"strongest", as_printed(group.strongest)},
                    {"count", group.count},
                    {"examples", json_of_shown(group.examples)}});
  }
  return list;
}

}  // namespace saetap::cli

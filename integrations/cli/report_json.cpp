#include "integrations/cli/report_json.h"

#include <iostream>
#include <string>

#include "integrations/cli/feature_json.h"
#include "integrations/report/suspicion_text.h"

namespace saetap::cli {
namespace {

Json json_of_family(const ReportFamily& read, const Tokenizer* tokenizer) {
  return {{"features", read.family.features},
          {"mean_cosine", read.family.mean_cosine},
          {"lowest_cosine", read.family.lowest_cosine},
          {"places", read.places},
          {"shared_places", read.shared},
          {"tokens", json_of_tokens(read.tokens, tokenizer)}};
}

Json json_of_families(const ReportMaterial& material, const Tokenizer* tokenizer) {
  Json families{{"least_cosine", kFamilyCosine},
                {"all_pairs", material.all_pairs},
                {"count", material.family_count},
                {"families", Json::array()}};
  for (const ReportFamily& read : material.families) families["families"].push_back(json_of_family(read, tokenizer));
  return families;
}

Json json_of_found(SuspicionKind kind, const SuspiciousFeature& one, const Tokenizer* tokenizer) {
  return {{"feature", one.feature},
          {"count", one.count},
          {"of", one.of},
          {"usual", one.usual},
          {"p", one.p},
          {"subject", one.subject},
          {"until", one.until},
          {"either", one.either},
          {"both", one.both},
          {"text", finding_text(kind, one, tokenizer)}};
}

Json json_of_suspicion(const SiteSuspicion& suspicion, const Tokenizer* tokenizer) {
  Json object{{"kind", name_of(suspicion.kind)},
              {"rule", rule_of(suspicion.kind)},
              {"judged", suspicion.found.judged},
              {"not_judged", suspicion.not_judged},
              {"features", Json::array()}};
  for (const SuspiciousFeature& one : suspicion.found.features) {
    object["features"].push_back(json_of_found(suspicion.kind, one, tokenizer));
  }
  return object;
}

Json json_with_rates(const ActivatingTokens& found, const DiscoveryRates& rates, const Tokenizer* tokenizer) {
  Json object = json_of_activating_tokens(found, tokenizer);
  for (std::size_t i = 0; i < found.tokens.size(); ++i) object["tokens"][i]["q"] = rates.q(found.tokens[i].p);
  return object;
}

Json json_of_feature(const FeatureFacts& facts, const DiscoveryRates& rates, const Tokenizer* tokenizer) {
  Json object{{"feature", facts.feature}};
  object.update(json_of_figures(facts));
  object["activating_tokens"] = json_with_rates(facts.tokens, rates, tokenizer);
  object["samples_kept"] = facts.samples.size();
  object["samples"] = json_of_shown(facts.strongest);
  object["random_samples_kept"] = facts.random_samples.size();
  object["groups"] = json_of_groups(facts.groups);
  return object;
}

std::string text_of(const Json& object) {
  return object.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

}  // namespace

void print_report_json(const OpenedStore& store, const ReportRequest& request, const ReportMaterial& material) {
  const Tokenizer* const tokenizer = request.tokenizer;
  Json head{{"store", store.reader.path()},
            {"site", store.stored().site.name},
            {"scope", json_of_scope(store.stored(), store.scope)},
            {"order", request.order},
            {"summary", json_of_summary(material.summary, store.reader.run().imported.has_value())},
            {"families", json_of_families(material, tokenizer)},
            {"suspicious", Json::array()}};
  for (const SiteSuspicion& suspicion : material.suspicions) {
    head["suspicious"].push_back(json_of_suspicion(suspicion, tokenizer));
  }
  std::string opened = text_of(head);
  opened.pop_back();
  std::cout << opened << ",\n\"features\":[";
  const FactsReader reader(request.store, request.site, request.scope, tokenizer);
  std::size_t done = 0;
  for (const std::uint32_t feature : request.features) {
    FeatureFacts facts = reader.read(feature, wanted_of(request));
    if (!material.nearest.empty()) facts.neighbors = material.nearest[feature];
    std::cout << (done == 0 ? "\n" : ",\n") << text_of(json_of_feature(facts, material.rates, tokenizer));
    if (request.progress) request.progress(++done);
  }
  std::cout << "\n]}\n";
}

}  // namespace saetap::cli

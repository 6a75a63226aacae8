#include "integrations/report/report_material.h"

#include <algorithm>
#include <map>
#include <utility>

#include "integrations/analysis/similar_features.h"

namespace saetap {
namespace {

constexpr std::size_t kNearest = 16;  // of each feature: those that a family can be made of
constexpr std::size_t kFamilyTokens = 5;

std::vector<std::vector<Neighbor>> nearest_of(const ReportRequest& request, const std::vector<float>& directions,
                                              bool all_pairs) {
  const std::int64_t features = request.site.site.features;
  if (directions.empty()) return {};
  if (all_pairs) return nearest_of_all(directions, features, kNearest);
  return nearest_of_some(directions, features, request.features, kNearest);
}

ReportFamily read_family(const ReportRequest& request, FeatureFamily family) {
  ReportFamily read{.family = std::move(family), .tokens = {}};
  std::map<std::pair<SequenceId, std::uint32_t>, std::uint32_t> places;
  std::vector<Sample> samples;
  for (const std::uint32_t feature : read.family.features) {
    for (const Sample& sample : request.store.samples(request.site.site.id, feature, request.scope)) {
      if (++places[{sample.sequence, sample.position}] == 1) samples.push_back(sample);
    }
  }
  read.tokens = commonest_tokens(request.store, samples, kFamilyTokens);
  read.places = places.size();
  read.shared =
      static_cast<std::uint64_t>(std::ranges::count_if(places, [](const auto& place) { return place.second > 1; }));
  return read;
}

// The directions of a large site take hundreds of MB: they are gone before anything else is read.
void read_families(const ReportRequest& request, ReportMaterial& material) {
  const Site& site = request.site.site;
  material.all_pairs = site.features <= kMostForAllPairs;
  const std::vector<float> directions = request.store.decoder_directions(site.id);
  material.nearest = nearest_of(request, directions, material.all_pairs);
  std::vector<FeatureFamily> families = feature_families(material.nearest, directions);
  material.family_count = families.size();
  families.resize(std::min(families.size(), kFamiliesShown));
  for (FeatureFamily& family : families) material.families.push_back(read_family(request, std::move(family)));
}

// Of all features of the report before anything is written: which tokens are told depends on all of them.
void read_tokens(const ReportRequest& request, ReportMaterial& material) {
  const FactsReader reader(request.store, request.site, request.scope, request.tokenizer);
  const FactsWanted wanted{.samples = 0, .context = 0, .groups = 0, .examples = 0};
  std::vector<double> best;
  for (const std::uint32_t feature : request.features) {
    const ActivatingTokens found = reader.read(feature, wanted).tokens;
    material.tokens.push_back({first_tokens(found, kTokensGlanced), found.of});
    if (!found.tokens.empty()) best.push_back(std::ranges::min(found.tokens, {}, &EnrichedToken::p).p);
  }
  material.rates = DiscoveryRates(std::move(best));
  material.text_tokens = reader.text().total();
  material.text_counted = reader.text().counted();
}

}  // namespace

std::vector<EnrichedToken> first_tokens(const ActivatingTokens& found, std::size_t top) {
  const auto repeated = repeated_tokens(found);
  std::vector<EnrichedToken> tokens(repeated.begin(), repeated.end());
  std::ranges::stable_sort(tokens, {}, &EnrichedToken::p);
  tokens.resize(std::min(top, tokens.size()));
  return tokens;
}

FactsWanted wanted_of(const ReportRequest& request) {
  // A sample of each quarter shows what a feature does below its best.
  return {.samples = request.samples, .context = {}, .groups = 4, .examples = 1};
}

ReportMaterial read_material(const ReportRequest& request, const FeatureProgress& tick) {
  const Site& site = request.site.site;
  ReportMaterial material;
  material.statistics = request.store.statistics(site.id, request.scope);
  material.eligible = (request.scope == Scope::recent ? request.site.recent : request.site.all_time).eligible;
  material.summary = summarize(material.statistics, material.eligible);
  read_families(request, material);
  material.suspicions = read_suspicions(request.store, request.site, request.scope, material.nearest, tick);
  read_tokens(request, material);
  return material;
}

}  // namespace saetap

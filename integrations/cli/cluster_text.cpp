#include "integrations/cli/cluster_text.h"

#include <algorithm>
#include <iostream>
#include <optional>

#include "integrations/analysis/visible_text.h"
#include "integrations/cli/counted.h"
#include "integrations/cli/similarity_text.h"
#include "integrations/cli/table.h"
#include "plugin/number_text.h"

namespace saetap::cli {
namespace {

constexpr std::size_t kFeaturesListed = 6;
constexpr std::size_t kTokenColumns = 14;  // of one token in a name

// "the 31.0 % · of 4.1 %": how much of its features' samples is on each.
std::string name_text(const std::vector<CharacteristicToken>& tokens, const Tokenizer* tokenizer) {
  std::string text;
  for (const CharacteristicToken& one : tokens) {
    if (!text.empty()) text += kTokenSeparator;
    text += leading_columns(token_text(one.token, tokenizer), kTokenColumns);
    text.append(1, ' ').append(percent_text(one.share));
  }
  return text;
}

std::string features_text(const FeatureCluster& cluster) {
  std::string text;
  for (std::size_t i = 0; i < std::min(kFeaturesListed, cluster.features.size()); ++i) {
    text += (i > 0 ? " " : "") + std::to_string(cluster.features[i]);
  }
  return text + (cluster.features.size() > kFeaturesListed ? " …" : "");
}

std::string how_text(const ShownClusters& shown) {
  if (shown.by_decoder) {
    return "by decoder direction: spherical k-means, k = " + std::to_string(shown.asked) + ", the best of " +
           std::to_string(kClusteringStarts) + " starts, seed " + std::to_string(shown.seed);
  }
  return "by the places of their strongest samples: average linkage, down to a mean overlap (Jaccard) of " +
         similarity_text(shown.least);
}

std::string quality_text(const ClusterQuality& quality) {
  if (quality.features == 0) return "no two features are together";
  const std::string of = counted(quality.features, "feature") + " in ";
  if (!quality.silhouette) return "not defined: all " + of + "one cluster";
  return similarity_text(*quality.silhouette) + " (" + of + counted(quality.clusters, "cluster") + " of two or more)";
}

void print_head(const OpenedStore& store, const ShownClusters& shown) {
  const ClusterQuality& quality = shown.found.quality;
  std::cout << scope_text(store.stored(), store.scope, store.reader.run().lost_before) << '\n'
            << counted(shown.features, "feature") << ' ' << how_text(shown) << '\n';
  if (shown.left_out > 0) {
    std::cout << count_text(shown.left_out)
              << (shown.by_decoder ? " left out: never active here, or without a direction\n"
                                   : " left out: without a sample\n");
  }
  std::cout << "silhouette  " << quality_text(quality) << "\nby chance   " << quality_text(shown.found.by_chance)
            << (shown.by_decoder ? ", the numbers of each dimension permuted among the features\n"
                                 : ", as many places for each feature dealt out at random\n");
}

Json json_of(std::optional<double> silhouette) {
  return silhouette ? Json(*silhouette) : Json();
}

Json json_of(const ClusterQuality& quality) {
  return {{"features", quality.features}, {"clusters", quality.clusters}, {"silhouette", json_of(quality.silhouette)}};
}

Json json_of(const FeatureCluster& cluster, const std::vector<CharacteristicToken>& tokens,
             const Tokenizer* tokenizer) {
  Json named = Json::array();
  for (const CharacteristicToken& one : tokens) {
    Json entry{{"id", one.token}, {"share", one.share}, {"share_elsewhere", one.elsewhere}};
    if (tokenizer) entry["text"] = token_text(one.token, tokenizer);
    named.push_back(std::move(entry));
  }
  return {{"features", cluster.features},
          {"silhouette", json_of(cluster.silhouette)},
          {"tightness", cluster.tightness},
          {"tokens", std::move(named)}};
}

}  // namespace

void print_clusters(const OpenedStore& store, const ShownClusters& shown, std::size_t top) {
  using enum Align;
  print_head(store, shown);
  const std::vector<FeatureCluster>& clusters = shown.found.clusters;
  if (clusters.empty()) return;
  const std::size_t listed = std::min(top, clusters.size());
  if (listed < clusters.size()) {
    std::cout << "listed: the " << listed << " clusters of highest silhouette (--top N lists more, --json all)\n";
  }
  std::cout << '\n';
  Table table({right, right, right, left, left});
  table.add({"features", "silhouette", "tightness", "characteristic tokens", "most central features"});
  for (std::size_t i = 0; i < listed; ++i) {
    table.add({std::to_string(clusters[i].features.size()), similarity_text(clusters[i].silhouette),
               similarity_text(clusters[i].tightness), name_text(shown.names[i], store.tokenizer.get()),
               features_text(clusters[i])});
  }
  table.print();
}

Json json_of(const OpenedStore& store, const ShownClusters& shown) {
  Json object{{"store", store.reader.path()},
              {"site", store.stored().site.name},
              {"scope", json_of_scope(store.stored(), store.scope)},
              {"by", shown.by_decoder ? "decoder" : "places"},
              {"seed", shown.seed},
              {"features", shown.features},
              {"left_out", shown.left_out}};
  if (shown.by_decoder) {
    object["k"] = shown.asked;
    object["starts"] = kClusteringStarts;
  } else {
    object["least"] = shown.least;
  }
  object["quality"] = json_of(shown.found.quality);
  object["by_chance"] = json_of(shown.found.by_chance);
  object["clusters"] = Json::array();
  for (std::size_t i = 0; i < shown.found.clusters.size(); ++i) {
    object["clusters"].push_back(json_of(shown.found.clusters[i], shown.names[i], store.tokenizer.get()));
  }
  return object;
}

}  // namespace saetap::cli

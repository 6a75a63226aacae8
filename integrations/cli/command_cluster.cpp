#include <algorithm>
#include <iostream>
#include <memory>

#include "integrations/cli/active_directions.h"
#include "integrations/cli/cluster_text.h"
#include "integrations/cli/commands.h"
#include "integrations/cli/counted.h"
#include "integrations/cli/failure.h"
#include "integrations/cli/opened_store.h"
#include "integrations/cli/progress.h"
#include "integrations/cli/ranking_option.h"
#include "integrations/cli/shared_options.h"
#include "plugin/number_text.h"

namespace saetap::cli {
namespace {

constexpr std::size_t kTokensNamed = 3;
constexpr const char* kDefaultLeast = "0.1";

struct ClusterRequest {
  StoreRequest store;
  std::string by = "decoder";
  std::size_t clusters = 0;  // 0: by default
  std::string least;
  std::uint64_t seed = 1;
  std::size_t top = 50;
};

SiteSamples read_samples(const OpenedStore& store) {
  Progress progress("features read", static_cast<std::size_t>(store.stored().site.features));
  return SiteSamples::read(store.reader, store.stored(), store.scope, SampleKind::strongest,
                           [&](std::size_t done) { progress.update(done); });
}

ShownClusters by_decoder(const OpenedStore& store, const ClusterRequest& request) {
  const UnitDirections directions = active_directions(store);
  ShownClusters shown;
  shown.features = directions.size();
  shown.left_out = static_cast<std::uint64_t>(store.stored().site.features) - shown.features;
  shown.asked = request.clusters > 0 ? request.clusters : usual_clusters(directions.size());
  const std::size_t most = std::min(directions.size(), kMostClusters);
  if (shown.asked < 2 || shown.asked > most) {
    std::string reason = counted(directions.size(), "feature") + " can be grouped";
    if (most == kMostClusters) reason += ", into " + count_text(kMostClusters) + " clusters at most";
    throw Failure(Status::bad_input,
                  "-k: " + count_text(shown.asked) + " is not from 2 to " + count_text(most) + ": " + reason);
  }
  Progress progress("runs of k-means, half of them on permuted directions", 2 * kClusteringStarts);
  std::size_t done = 0;
  shown.found =
      cluster_directions(directions, {.clusters = shown.asked, .seed = request.seed}, [&] { progress.update(++done); });
  return shown;
}

ShownClusters by_places(const ClusterRequest& request, const SiteSamples& samples) {
  const SampleRows places = SampleRows::of_places(samples);
  ShownClusters shown;
  shown.by_decoder = false;
  shown.least = share_from(request.least.empty() ? kDefaultLeast : request.least, "--least");
  if (shown.least <= 0) throw Failure(Status::bad_input, "--least 0 would put all features together");
  for (std::uint32_t feature = 0; feature < places.features(); ++feature) {
    ++(places.samples(feature) > 0 ? shown.features : shown.left_out);
  }
  Progress progress("groupings, the second by chance", 2);
  std::size_t done = 0;
  shown.found = cluster_samples(places, shown.least, request.seed, [&] { progress.update(++done); });
  return shown;
}

void cluster(const ClusterRequest& request) {
  const bool decoder = request.by == "decoder";
  if (decoder ? !request.least.empty() : request.clusters > 0) {
    throw Failure(Status::bad_input, decoder ? "--least goes with --by places" : "-k goes with --by decoder");
  }
  const OpenedStore store = open_store(request.store);
  ShownClusters shown;
  if (decoder) shown = by_decoder(store, request);
  const SiteSamples samples = read_samples(store);
  if (!decoder) shown = by_places(request, samples);
  shown.seed = request.seed;
  shown.names = characteristic_tokens(samples, shown.found.clusters, kTokensNamed);
  if (request.store.json) {
    print_json(json_of(store, shown));
  } else {
    print_clusters(store, shown, request.top);
  }
}

}  // namespace

void add_cluster(CLI::App& program) {
  auto request = std::make_shared<ClusterRequest>();
  CLI::App* sub = program.add_subcommand("cluster", "Groups of features, what they answer to, and what chance makes");
  add_store_argument(*sub, request->store);
  sub->add_option("--by", request->by,
                  "Grouped by what: decoder directions (k-means) or the places of their strongest samples (linkage)")
      ->check(CLI::IsMember({"decoder", "places"}))
      ->type_name("MEASURE")
      ->capture_default_str();
  sub->add_option("-k", request->clusters,
                  "By decoder: how many clusters, at most 4,096 (default: the square root of half the features, a "
                  "usual first guess)")
      ->check(at_least(1))
      ->type_name("N");
  sub->add_option("--least", request->least,
                  "By places: clusters are merged down to this mean overlap of two features' places (default: 0.1)")
      ->type_name("SIMILARITY");
  add_seed_option(*sub, request->seed);
  sub->add_option("--top", request->top, "How many clusters to list")->check(at_least(1))->capture_default_str();
  add_scope_option(*sub, request->store);
  add_site_option(*sub, request->store);
  add_tokenizer_option(*sub, request->store);
  add_json_option(*sub, request->store);
  sub->footer("Example: saetap cluster activation_samples -k 100");
  sub->callback([request] { cluster(*request); });
}

}  // namespace saetap::cli

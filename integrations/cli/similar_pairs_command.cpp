#include "integrations/cli/similar_pairs_command.h"

#include <algorithm>
#include <charconv>
#include <iostream>
#include <tuple>

#include "integrations/analysis/visible_text.h"
#include "integrations/cli/active_directions.h"
#include "integrations/cli/counted.h"
#include "integrations/cli/failure.h"
#include "integrations/cli/pair_list.h"
#include "integrations/cli/progress.h"
#include "integrations/cli/similar_text.h"
#include "integrations/cli/similarity_text.h"
#include "integrations/cli/table.h"
#include "integrations/cli/written_file.h"
#include "plugin/number_text.h"

namespace saetap::cli {
namespace {

constexpr std::size_t kMostPairs = 20'000'000;    // kept: 240 MB of them
constexpr std::size_t kMostNearest = 10'000'000;  // kept of all features together: 320 MB of them at most
constexpr std::size_t kRowsShown = 50;

float least_of(const SimilarPairsRequest& request) {
  if (request.least.empty()) {
    if (request.top) return -1;
    return request.by == SimilarBy::places ? 0.5f : 0.8f;
  }
  float least = 0;
  const char* end = request.least.data() + request.least.size();
  const auto [parsed, error] = std::from_chars(request.least.data(), end, least);
  if (error != std::errc() || parsed != end || !(least >= -1 && least <= 1)) {
    throw Failure(Status::bad_input, "--least " + request.least + " is no similarity: a number from -1 to 1");
  }
  return least;
}

void find_similar(const OpenedStore& store, SimilarBy by, PairKeeper& keeper) {
  const auto features = static_cast<std::size_t>(store.stored().site.features);
  Progress compared("features compared", features);
  const auto compare = [&](std::size_t done) { compared.update(done); };
  if (by == SimilarBy::decoder) {
    return find_similar_directions(active_directions(store), keeper, compare);
  }
  Progress read("features read", features);
  const auto samples = SiteSamples::read(store.reader, store.stored(), store.scope, SampleKind::strongest,
                                         [&](std::size_t done) { read.update(done); });
  const SampleRows rows = by == SimilarBy::places ? SampleRows::of_places(samples) : SampleRows::of_tokens(samples);
  rows.find_similar(keeper, compare);
}

Json head_of(const OpenedStore& store, const SimilarPairsRequest& request, float least) {
  Json head{{"store", store.reader.path()},
            {"site", store.stored().site.name},
            {"scope", json_of_scope(store.stored(), store.scope)},
            {"by", name_of(request.by)},
            {"least", as_printed(least)}};
  if (request.top) head["top"] = *request.top;
  return head;
}

void print_head(const OpenedStore& store, SimilarBy by) {
  std::cout << scope_text(store.stored(), store.scope, store.reader.run().lost_before) << "\nBy " << described(by)
            << '\n';
}

// The first rows of a table of pairs; `found`: how many there are.
void print_pairs(const OpenedStore& store, std::span<const SimilarPair> pairs, const std::string& found) {
  using enum Align;
  std::cout << found;
  if (pairs.size() > kRowsShown) std::cout << "; the first " << kRowsShown << " (-o FILE writes all)";
  if (pairs.empty()) std::cout << "; --least lowers the bound, --top N lists the nearest of each feature";
  std::cout << '\n';
  if (pairs.empty()) return;
  Table table({right, right, right, left, left});
  table.add({"first", "second", "similarity", "commonest tokens of the first", "of the second"});
  for (const SimilarPair& pair : pairs.first(std::min(pairs.size(), kRowsShown))) {
    table.add({std::to_string(pair.first), std::to_string(pair.second), similarity_text(pair.similarity),
               tokens_of_feature(store, pair.first), tokens_of_feature(store, pair.second)});
  }
  std::cout << '\n';
  table.print();
}

// Pairs or lists, wherever they were asked to go; `count`: how many pairs; `said`: that, in words. `print` is for
// people.
template <typename Found, typename Print>
void put_out(const SimilarPairsRequest& request, const Json& head, const Found& found, std::size_t count,
             const std::string& said, Print print) {
  const auto write = [&](std::ostream& out) {
    if (request.store.json) return write_json(out, head, found);
    write_csv(out, found);
  };
  if (!request.output.empty() && request.output != "-") {
    write_atomically(request.output, write);
    if (request.store.json) {
      print_json({{"store", head.at("store")}, {"output", request.output}, {"pairs", count}});
    } else {
      std::cout << said << ", written to " << visible(request.output) << '\n';
    }
    return;
  }
  if (request.store.json || request.output == "-") return write(std::cout);
  print();
}

void list_pairs(const OpenedStore& store, const SimilarPairsRequest& request, float least) {
  PairsAbove keeper(static_cast<std::size_t>(store.stored().site.features), least, kMostPairs);
  find_similar(store, request.by, keeper);
  if (keeper.found() > kMostPairs) {
    throw Failure(Status::bad_input, count_text(keeper.found()) + " pairs have a similarity of at least " +
                                         similarity_text(least) + ", more than the " + count_text(kMostPairs) +
                                         " that can be listed; a higher --least, or --top, lists fewer");
  }
  const std::vector<SimilarPair> pairs = keeper.take();
  std::string found = counted(pairs.size(), "pair") + " of at least " + similarity_text(least);
  if (!pairs.empty()) found += ", most similar first";
  if (const auto& best = keeper.best_below()) {
    found += "; the most similar are " + std::to_string(best->first) + " and " + std::to_string(best->second) + ", " +
             similarity_text(best->similarity);
  }
  put_out(request, head_of(store, request, least), std::span<const SimilarPair>(pairs), pairs.size(), found, [&] {
    print_head(store, request.by);
    print_pairs(store, pairs, found);
  });
}

// Each feature with each of its nearest ones, most similar first.
std::vector<SimilarPair> best_of(const NearestLists& lists) {
  std::vector<SimilarPair> best;
  for (std::uint32_t feature = 0; feature < lists.size(); ++feature) {
    for (const Neighbor& one : lists[feature]) best.push_back({feature, one.feature, static_cast<float>(one.cosine)});
  }
  std::stable_sort(best.begin(), best.end(),
                   [](const SimilarPair& a, const SimilarPair& b) { return a.similarity > b.similarity; });
  return best;
}

void check_top(std::size_t features, std::size_t top) {
  const std::size_t most = kMostNearest / std::max<std::size_t>(features, 1);
  if (std::min(top, features) <= most) return;
  throw Failure(Status::bad_input, "--top " + std::to_string(top) + " of each of " + count_text(features) +
                                       " features is more than can be listed: " + count_text(most) + " at most");
}

void list_nearest(const OpenedStore& store, const SimilarPairsRequest& request, float least) {
  const auto features = static_cast<std::size_t>(store.stored().site.features);
  check_top(features, *request.top);
  NearestKeeper keeper(features, *request.top, least);
  find_similar(store, request.by, keeper);
  const NearestLists lists = keeper.take();
  std::size_t count = 0;
  for (const std::vector<Neighbor>& list : lists) count += list.size();
  const std::string found =
      count_text(count) + " nearest features, " + std::to_string(*request.top) + " at most of each, most similar first";
  put_out(request, head_of(store, request, least), lists, count, found, [&] {
    print_head(store, request.by);
    print_pairs(store, best_of(lists), found);
  });
}

}  // namespace

void list_similar_pairs(const SimilarPairsRequest& request) {
  const float least = least_of(request);
  const OpenedStore store = open_store(request.store);
  if (request.top) return list_nearest(store, request, least);
  list_pairs(store, request, least);
}

}  // namespace saetap::cli

#include <iostream>
#include <memory>
#include <optional>

#include "integrations/cli/commands.h"
#include "integrations/cli/failure.h"
#include "integrations/cli/opened_store.h"
#include "integrations/cli/progress.h"
#include "integrations/cli/shared_options.h"
#include "integrations/cli/similar_pairs_command.h"
#include "integrations/cli/similar_text.h"

namespace saetap::cli {
namespace {

struct SimilarRequest {
  SimilarPairsRequest pairs;
  std::optional<std::int64_t> feature;
  bool all = false;
  std::string by;
};

std::optional<SimilarBy> measure_of(const std::string& name) {
  for (const SimilarBy measure : {SimilarBy::decoder, SimilarBy::places, SimilarBy::tokens}) {
    if (name == name_of(measure)) return measure;
  }
  return std::nullopt;
}

void list_similar(const SimilarRequest& request, std::optional<SimilarBy> by) {
  constexpr std::size_t kListed = 10;
  const OpenedStore store = open_store(request.pairs.store);
  const std::uint32_t feature = checked_feature(store, *request.feature);
  Progress progress("features read", static_cast<std::size_t>(store.stored().site.features));
  const SimilarToOne similar(store.reader, store.stored(), store.scope, feature,
                             [&](std::size_t done) { progress.update(done); });
  progress.clear();
  std::vector<SimilarList> lists;
  for (const SimilarBy measure : {SimilarBy::decoder, SimilarBy::places, SimilarBy::tokens}) {
    if (by && *by != measure) continue;
    lists.push_back({measure, similar.nearest(measure, request.pairs.top.value_or(kListed))});
  }
  if (request.pairs.store.json) {
    print_json(json_of_similar(store, similar.itself(), lists));
  } else {
    print_similar(store, similar.itself(), lists);
  }
}

void run_similar(const SimilarRequest& request) {
  const std::optional<SimilarBy> by = measure_of(request.by);
  if (request.all == request.feature.has_value()) {
    throw Failure(Status::bad_input, "similar takes either one FEATURE or --all");
  }
  if (request.all) {
    SimilarPairsRequest pairs = request.pairs;
    pairs.by = by.value_or(SimilarBy::decoder);
    return list_similar_pairs(pairs);
  }
  if (!request.pairs.least.empty() || !request.pairs.output.empty()) {
    throw Failure(Status::bad_input, "--least and --output go with --all");
  }
  list_similar(request, by);
}

}  // namespace

void add_similar(CLI::App& program) {
  auto request = std::make_shared<SimilarRequest>();
  CLI::App* sub = program.add_subcommand("similar", "The features most similar to one, or all pairs that are");
  add_store_argument(*sub, request->pairs.store);
  sub->add_option("FEATURE", request->feature, "Its number")->check(feature_number());
  sub->add_flag("--all", request->all, "All pairs of features, instead of one feature's");
  sub->add_option("--by", request->by,
                  "Similar in what: decoder directions, places of the strongest samples, or tokens of these "
                  "(default: each of them; with --all decoder)")
      ->check(CLI::IsMember({"decoder", "places", "tokens"}))
      ->type_name("MEASURE");
  sub->add_option("--top", request->pairs.top,
                  "How many of each feature (default: 10; with --all as many as are similar enough)")
      ->check(at_least(1));
  sub->add_option(
         "--least", request->pairs.least,
         "With --all: only pairs of at least this similarity (default: 0.8 by decoder or tokens, 0.5 by places; "
         "with --top none)")
      ->type_name("SIMILARITY");
  sub->add_option("-o,--output", request->pairs.output,
                  "With --all: a file for all of them, CSV or with --json JSON; - is stdout")
      ->check(file_name())
      ->type_name("FILE");
  add_scope_option(*sub, request->pairs.store);
  add_site_option(*sub, request->pairs.store);
  add_tokenizer_option(*sub, request->pairs.store);
  add_json_option(*sub, request->pairs.store);
  sub->footer(
      "Example: saetap similar activation_samples 1730\n"
      "         saetap similar activation_samples --all --by decoder --least 0.9 -o pairs.csv");
  sub->callback([request] { run_similar(*request); });
}

}  // namespace saetap::cli

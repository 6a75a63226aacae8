#include "integrations/cli/similar_text.h"

#include <cstdio>
#include <iostream>

#include "integrations/analysis/activating_tokens.h"
#include "integrations/analysis/visible_text.h"
#include "integrations/cli/counted.h"
#include "integrations/cli/similarity_text.h"
#include "integrations/cli/table.h"
#include "plugin/number_text.h"

namespace saetap::cli {
namespace {

constexpr std::size_t kTokensShown = 3;
constexpr std::size_t kTokenColumns = 14;

std::vector<TokenCount> commonest_of(const OpenedStore& store, std::uint32_t feature) {
  const std::vector<Sample> samples = store.reader.samples(store.site(), feature, store.scope);
  return commonest_tokens(store.reader, samples, kTokensShown);
}

std::string shared_text(const SimilarFeature& one, std::uint32_t own_samples) {
  return std::to_string(one.shared_places) + " of " + std::to_string(own_samples) + " + " + std::to_string(one.samples);
}

const char* nothing_text(const OpenedStore& store, const SimilarFeature& itself, SimilarBy by) {
  if (by == SimilarBy::decoder && !store.stored().has_decoder)
    return "  no decoder directions were saved of this site\n";
  if (by == SimilarBy::decoder && !itself.decoder) return "  its direction is zero, or not finite\n";
  if (by != SimilarBy::decoder && itself.samples == 0) {
    return store.scope == Scope::recent ? "  no sample of it is kept of these steps (--all-time reads all)\n"
                                        : "  no sample of it is kept\n";
  }
  if (by == SimilarBy::tokens && itself.samples_with_token == 0) return "  of no sample of it the token is known\n";
  return "  no other feature has anything in common with it\n";
}

void print_list(const OpenedStore& store, const SimilarFeature& itself, const SimilarList& list) {
  using enum Align;
  std::cout << "\nBy " << described(list.by) << '\n';
  if (list.nearest.empty()) {
    std::cout << nothing_text(store, itself, list.by);
    return;
  }
  Table table({right, right, right, right, right, left});
  table.add({"feature", "decoder", "places", "shared", "tokens", "commonest tokens"});
  for (const SimilarFeature& one : list.nearest) {
    table.add({std::to_string(one.feature), similarity_text(one.decoder), similarity_text(one.places),
               shared_text(one, itself.samples), similarity_text(one.tokens), tokens_of_feature(store, one.feature)});
  }
  table.print();
}

Json json_of(const OpenedStore& store, const SimilarFeature& one) {
  return {{"feature", one.feature},
          {"decoder_cosine", one.decoder ? Json(*one.decoder) : Json()},
          {"place_overlap", one.places},
          {"shared_places", one.shared_places},
          {"samples", one.samples},
          {"token_cosine", one.tokens ? Json(*one.tokens) : Json()},
          {"shared_tokens", one.shared_tokens},
          {"samples_with_token", one.samples_with_token},
          {"tokens", json_of_tokens(commonest_of(store, one.feature), store.tokenizer.get())}};
}

}  // namespace

const char* name_of(SimilarBy measure) {
  if (measure == SimilarBy::decoder) return "decoder";
  return measure == SimilarBy::places ? "places" : "tokens";
}

const char* described(SimilarBy measure) {
  switch (measure) {
    case SimilarBy::decoder:
      return "decoder direction: cosine";
    case SimilarBy::places:
      return "places of the strongest samples kept: those shared, as a share of those that either has (Jaccard)";
    case SimilarBy::tokens:
      break;
  }
  return "tokens of the strongest samples kept: cosine of how many are on each";
}

std::string tokens_of_feature(const OpenedStore& store, std::uint32_t feature) {
  std::string text;
  for (const TokenCount& counted : commonest_of(store, feature)) {
    if (!text.empty()) text += kTokenSeparator;
    text += leading_columns(token_text(counted.token, store.tokenizer.get()), kTokenColumns);
    text.append(1, ' ').append(std::to_string(counted.count));
  }
  return text;
}

void print_similar(const OpenedStore& store, const SimilarFeature& itself, const std::vector<SimilarList>& lists) {
  std::cout << scope_text(store.stored(), store.scope, store.reader.run().lost_before) << "\n\nfeature "
            << itself.feature << ": " << counted(itself.samples, "sample") << " kept, " << itself.samples_with_token
            << " with a known token";
  const std::string tokens = tokens_of_feature(store, itself.feature);
  std::cout << (tokens.empty() ? "" : "; commonest tokens ") << tokens << '\n';
  for (const SimilarList& list : lists) print_list(store, itself, list);
}

Json json_of_similar(const OpenedStore& store, const SimilarFeature& itself, const std::vector<SimilarList>& lists) {
  Json object{{"store", store.reader.path()},
              {"site", store.stored().site.name},
              {"scope", json_of_scope(store.stored(), store.scope)},
              {"feature", itself.feature},
              {"samples", itself.samples},
              {"samples_with_token", itself.samples_with_token},
              {"nearest", Json::object()}};
  for (const SimilarList& list : lists) {
    Json& nearest = object["nearest"][name_of(list.by)] = Json::array();
    for (const SimilarFeature& one : list.nearest) nearest.push_back(json_of(store, one));
  }
  return object;
}

}  // namespace saetap::cli

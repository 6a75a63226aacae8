// What `saetap similar` found, for people and for programs.
#pragma once

#include <string>
#include <vector>

#include "integrations/analysis/similar_to_one.h"
#include "integrations/cli/json_text.h"

namespace saetap::cli {

// "decoder", "places", "tokens": as on the command line and in JSON.
[[nodiscard]] const char* name_of(SimilarBy measure);
// The measure in words, with what it is of: "decoder direction (cosine)".
[[nodiscard]] const char* described(SimilarBy measure);

// The commonest tokens among the strongest samples of a feature: "the 31 · of 4".
[[nodiscard]] std::string tokens_of_feature(const OpenedStore& store, std::uint32_t feature);

// One measure's list.
struct SimilarList {
  SimilarBy by = SimilarBy::decoder;
  std::vector<SimilarFeature> nearest;
};
void print_similar(const OpenedStore& store, const SimilarFeature& itself, const std::vector<SimilarList>& lists);
[[nodiscard]] Json json_of_similar(const OpenedStore& store, const SimilarFeature& itself,
                                   const std::vector<SimilarList>& lists);

}  // namespace saetap::cli

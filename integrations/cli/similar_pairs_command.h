// `saetap similar --all`: all pairs of features of a site.
#pragma once

#include <optional>
#include <string>

#include "integrations/analysis/similar_to_one.h"
#include "integrations/cli/opened_store.h"

namespace saetap::cli {

struct SimilarPairsRequest {
  StoreRequest store;
  SimilarBy by = SimilarBy::decoder;
  std::string least;               // empty: by default
  std::optional<std::size_t> top;  // of each feature; nothing: all pairs
  std::string output;              // empty: stdout
};

// Throws Failure or StoreError.
void list_similar_pairs(const SimilarPairsRequest& request);

}  // namespace saetap::cli

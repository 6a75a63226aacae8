// Samples of a feature as rows of tokens, with the activating ones below each other.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "integrations/tokenizers/tokenizer.h"
#include "plugin/store/store_reader.h"

namespace saetap {

struct GridToken {
  std::int32_t id = 0;
  std::string text;                 // visible, "##el" where a word goes on; its id without a tokenizer
  std::optional<float> activation;  // of the feature there; nothing where it is not known
};

struct GridRow {
  Sample sample;
  std::vector<GridToken> tokens = {};  // empty: it is not known which tokens these were
  std::size_t activating = 0;          // index into tokens
};

// `samples`: of one feature of the site. At most `before` and `after` tokens beside the activating one; fewer where the
// sequence ends. Throws StoreError.
[[nodiscard]] std::vector<GridRow> sample_grid(const StoreReader& store, int site, std::uint32_t feature, Scope scope,
                                               std::span<const Sample> samples, std::uint32_t before,
                                               std::uint32_t after, const Tokenizer* tokenizer);

}  // namespace saetap

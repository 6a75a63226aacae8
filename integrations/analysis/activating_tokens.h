// The tokens a feature answers to.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "integrations/tokenizers/tokenizer.h"
#include "plugin/store/store_reader.h"

namespace saetap {

struct TokenCount {
  std::int32_t token = 0;
  std::uint64_t count = 0;

  friend bool operator==(const TokenCount&, const TokenCount&) = default;
};

// The commonest of `tokens`, at most `top`; equal counts in order of the id.
[[nodiscard]] std::vector<TokenCount> commonest(std::span<const std::int32_t> tokens, std::size_t top);

// The activating tokens of samples, in their order; those that are not known are left out. Throws StoreError.
[[nodiscard]] std::vector<std::int32_t> known_tokens(const StoreReader& store, std::span<const Sample> samples);

// The commonest activating tokens among samples of one feature; samples without known tokens do not count.
// Throws StoreError.
[[nodiscard]] std::vector<TokenCount> commonest_tokens(const StoreReader& store, std::span<const Sample> samples,
                                                       std::size_t top);

// Between tokens in a list: a comma is a token itself.
inline constexpr const char* kTokenSeparator = " · ";

// One token on its own, visible: "##ing" is the end of a word. Without a tokenizer its id, and where no
// text is left of it "[id 29871]".
[[nodiscard]] std::string token_text(std::int32_t token, const Tokenizer* tokenizer);

}  // namespace saetap

// Token id -> text. No LibTorch.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace saetap {

class TokenizerError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A sound tokenizer that this build cannot decode with yet: not an error of the user's.
class UnsupportedTokenizer : public TokenizerError {
  using TokenizerError::TokenizerError;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The text of the tokens as one string, the way the reference implementation decodes it, special tokens kept.
  [[nodiscard]] virtual std::string decode(std::span<const std::int32_t> tokens) const = 0;
  // The text of each token in its place: joined, they are decode(tokens). Ids outside the vocabulary are shown as "[id
  // 31999]".
  [[nodiscard]] virtual std::vector<std::string> pieces(std::span<const std::int32_t> tokens) const = 0;
  // Ids that the tokenizer itself marks as special ([CLS], [SEP], [PAD]…), ascending.
  [[nodiscard]] virtual const std::vector<std::int32_t>& special_ids() const = 0;
};

// Reads a Hugging Face tokenizer.json. Throws TokenizerError: cannot be read or is not a tokenizer;
// UnsupportedTokenizer: has a decoder that is not supported (which is named).
[[nodiscard]] std::unique_ptr<Tokenizer> load_tokenizer(const std::string& path);

}  // namespace saetap

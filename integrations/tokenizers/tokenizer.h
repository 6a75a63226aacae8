// Token id -> text. No LibTorch.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
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

  // The text of the tokens as one string, the way the reference implementation decodes it, special tokens kept (also
  // where the reference drops them: SentencePiece).
  [[nodiscard]] virtual std::string decode(std::span<const std::int32_t> tokens) const;
  // The text of each token in its place: joined, they are decode(tokens). A character made by several tokens is carried
  // whole by the last of them. Ids outside the vocabulary are shown as "[id 31999]".
  [[nodiscard]] virtual std::vector<std::string> pieces(std::span<const std::int32_t> tokens) const = 0;
  // The same for tokens cut out of a longer text, to be shown. Where the reference judges bytes that follow each other
  // as a whole (ByteFallback), what the cut left of a character at either end is dropped, unless it is all there is:
  // else one such byte would make U+FFFD of everything beside it.
  [[nodiscard]] virtual std::vector<std::string> excerpt_pieces(std::span<const std::int32_t> tokens) const;
  [[nodiscard]] std::string excerpt(std::span<const std::int32_t> tokens) const;
  // Ids that the tokenizer itself marks as special ([CLS], [SEP], [PAD], [UNK], [MASK], chat marks…), ascending: tokens
  // that are no text.
  [[nodiscard]] virtual const std::vector<std::int32_t>& special_ids() const = 0;
  // Ids that begin or end a document or fill it up (BOS, EOS, CLS, SEP, PAD, end of text), ascending: where a packed
  // sequence may be cut into documents. Not [UNK], [MASK] or the marks of a chat, which stand inside one. They are
  // those that the tokenizer puts around a text (post_processor, trainer's settings) and those with a well-known name.
  // Mostly special ids too. Empty where the file does not tell (.tiktoken).
  [[nodiscard]] virtual const std::vector<std::int32_t>& boundary_ids() const = 0;
};

// Reads a tokenizer of any of these, told apart by name and content:
//   tokenizer.json   Hugging Face, with any of its decoders
//   vocab.json       GPT-2's, from byte-level token to id
//   vocab.txt        BERT's, a token a line
//   *.model          SentencePiece, unigram or BPE
//   *.tiktoken       ranks in base64. Special tokens are not in the file: their ids are shown as such
//   tekken.json      Mistral's
// Throws TokenizerError: cannot be read or is not a tokenizer; UnsupportedTokenizer: needs something to decode that is
// not supported (which is named).
[[nodiscard]] std::unique_ptr<Tokenizer> load_tokenizer(const std::string& path);

// The bytes that a program gave as the text of each token; `rest` has the text of the others, as it stands between its
// own tokens. Null: they are shown as ids. Throws TokenizerError: an id twice.
[[nodiscard]] std::unique_ptr<Tokenizer> tokenizer_of_texts(
    const std::vector<std::pair<std::int32_t, std::string>>& texts, std::shared_ptr<const Tokenizer> rest);

}  // namespace saetap

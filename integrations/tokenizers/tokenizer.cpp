#include "integrations/tokenizers/tokenizer.h"

namespace saetap {

namespace {

std::string joined(const std::vector<std::string>& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  return text;
}

}  // namespace

std::string Tokenizer::decode(std::span<const std::int32_t> tokens) const {
  return joined(pieces(tokens));
}

std::vector<std::string> Tokenizer::excerpt_pieces(std::span<const std::int32_t> tokens) const {
  return pieces(tokens);
}

std::string Tokenizer::excerpt(std::span<const std::int32_t> tokens) const {
  return joined(excerpt_pieces(tokens));
}

}  // namespace saetap

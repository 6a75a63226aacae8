#include "integrations/tokenizers/tokenizer.h"

namespace saetap {

std::string Tokenizer::decode(std::span<const std::int32_t> tokens) const {
  std::string text;
  for (const std::string& piece : pieces(tokens)) text += piece;
  return text;
}

}  // namespace saetap

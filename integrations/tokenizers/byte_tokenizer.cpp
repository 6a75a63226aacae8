#include "integrations/tokenizers/byte_tokenizer.h"

#include <utility>

#include "integrations/tokenizers/texts_or_ids.h"

namespace saetap {

ByteTokenizer::ByteTokenizer(IdTable bytes, std::vector<std::int32_t> special_ids,
                             std::vector<std::int32_t> boundary_ids)
    : bytes_(std::move(bytes)), special_ids_(std::move(special_ids)), boundary_ids_(std::move(boundary_ids)) {
  bytes_.sort_and_check();
}

std::vector<std::string> ByteTokenizer::pieces(std::span<const std::int32_t> tokens) const {
  return texts_or_ids(tokens, [&] {
    OwnedText joined(0);
    for (std::uint32_t i = 0; i < tokens.size(); ++i) {
      const std::string* bytes = bytes_.entry(tokens[i]);
      joined.append(bytes ? *bytes : unknown_id_text(tokens[i]), i);
    }
    const OwnedText text = utf8_lossy(joined);
    return pieces_of({&text, 1}, tokens.size());
  });
}

}  // namespace saetap

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "integrations/tokenizers/id_table.h"
#include "integrations/tokenizers/owned_text.h"

namespace saetap {

// What decode() makes of the tokens; their ids if it is more text than any real tokenizer makes.
template <typename Decode>
[[nodiscard]] std::vector<std::string> texts_or_ids(std::span<const std::int32_t> tokens, Decode decode) {
  try {
    return decode();
  } catch (const TextTooLong&) {
    std::vector<std::string> ids;
    for (const std::int32_t id : tokens) ids.push_back(unknown_id_text(id));
    return ids;
  }
}

}  // namespace saetap

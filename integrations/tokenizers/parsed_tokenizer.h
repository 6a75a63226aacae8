// A tokenizer.json without the trees that would be made of its vocabulary and merges.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "integrations/tokenizers/id_table.h"

namespace saetap {

// Most of such a file is "model": {"vocab": {text: id …}, "merges": […]}. Making JSON values of them takes longer than
// everything else that a program does which shows a few tokens.
struct ParsedTokenizer {
  nlohmann::json json;  // "vocab" of "model", where it is an object, is an empty one; "merges" is an empty list
  IdTable vocab;        // what is missing there, not sorted
};

// Any JSON. Throws TokenizerError: not JSON, or an id in the vocabulary that is none.
[[nodiscard]] ParsedTokenizer parse_tokenizer(std::string_view bytes);

}  // namespace saetap

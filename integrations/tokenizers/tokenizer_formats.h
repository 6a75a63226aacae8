// One function per format. `bytes` is the content of the file. All throw as load_tokenizer does.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "integrations/tokenizers/id_table.h"
#include "integrations/tokenizers/tokenizer.h"

namespace saetap {

// tokenizer.json. `vocab`: entries of its model's vocabulary besides those that are in `tokenizer`.
[[nodiscard]] std::unique_ptr<Tokenizer> tokenizer_from_json(const nlohmann::json& tokenizer, IdTable vocab = {});
[[nodiscard]] std::unique_ptr<Tokenizer> tokenizer_from_vocab_json(nlohmann::json vocab);
[[nodiscard]] std::unique_ptr<Tokenizer> tokenizer_from_vocab_txt(std::string_view bytes);
[[nodiscard]] std::unique_ptr<Tokenizer> tokenizer_from_sentencepiece(std::string_view bytes);
[[nodiscard]] std::unique_ptr<Tokenizer> tokenizer_from_tiktoken(std::string_view bytes);
[[nodiscard]] std::unique_ptr<Tokenizer> tokenizer_from_tekken(const nlohmann::json& tekken);

// The first line of a .tiktoken file looks like no other format's.
[[nodiscard]] bool looks_like_tiktoken(std::string_view bytes);

}  // namespace saetap

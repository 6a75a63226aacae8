#include "integrations/tokenizers/decoder.h"

#include <nlohmann/json.hpp>

#include "integrations/tokenizers/tokenizer.h"

namespace saetap {

std::unique_ptr<Decoder> make_decoder(const nlohmann::json& description) {
  if (description.is_null()) {
    throw UnsupportedTokenizer("it names no decoder, which is not supported yet; token ids are shown instead");
  }
  if (!description.is_object() || !description.contains("type") || !description["type"].is_string()) {
    throw TokenizerError("its \"decoder\" has no type");
  }
  const auto& type = description["type"].get_ref<const std::string&>();
  if (type == "WordPiece") return make_wordpiece_decoder(description);
  throw UnsupportedTokenizer("its decoder \"" + type.substr(0, 40) +
                             "\" is not supported yet; token ids are shown instead");
}

}  // namespace saetap

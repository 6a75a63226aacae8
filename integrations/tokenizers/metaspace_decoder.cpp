#include <nlohmann/json.hpp>
#include <utility>

#include "integrations/tokenizers/decoder.h"
#include "integrations/tokenizers/decoder_fields.h"
#include "integrations/tokenizers/tokenizer.h"

namespace saetap {
namespace {

// SentencePiece's way in a tokenizer.json: "▁" is a space, but for those in the first part, which encoding put there.
class MetaspaceDecoder : public Decoder {
 public:
  MetaspaceDecoder(std::string replacement, bool prepended)
      : replacement_(std::move(replacement)), prepended_(prepended) {}

  void decode(std::vector<OwnedText>& parts) const override {
    for (std::size_t i = 0; i < parts.size(); ++i) parts[i].replace_all(replacement_, i == 0 && prepended_ ? "" : " ");
  }

 private:
  std::string replacement_;
  bool prepended_;
};

// Files of before 2024 say add_prefix_space only.
bool prepends(const nlohmann::json& description) {
  if (description.contains("add_prefix_space") && !description["add_prefix_space"].is_null() &&
      !truth_field(description, "add_prefix_space")) {
    return false;
  }
  if (!description.contains("prepend_scheme")) return true;
  const std::string scheme = text_field(description, "prepend_scheme");
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    throw TokenizerError("its Metaspace decoder has the unknown \"prepend_scheme\" \"" + scheme.substr(0, 40) + "\"");
  }
  return scheme != "never";
}

}  // namespace

std::unique_ptr<Decoder> make_metaspace_decoder(const nlohmann::json& description) {
  return std::make_unique<MetaspaceDecoder>(character_field(description, "replacement"), prepends(description));
}

}  // namespace saetap

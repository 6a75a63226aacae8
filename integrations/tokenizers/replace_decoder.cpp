#include <nlohmann/json.hpp>
#include <utility>

#include "integrations/tokenizers/decoder.h"
#include "integrations/tokenizers/decoder_fields.h"
#include "integrations/tokenizers/tokenizer.h"

namespace saetap {
namespace {

class ReplaceDecoder : public Decoder {
 public:
  ReplaceDecoder(std::string from, std::string to) : from_(std::move(from)), to_(std::move(to)) {}

  void decode(std::vector<OwnedText>& parts) const override {
    std::size_t length = 0;
    for (OwnedText& part : parts) {
      // The reference looks for nothing in an empty part, not even for an empty pattern.
      if (!part.empty()) part.replace_all(from_, to_);
      length += part.text().size();
      if (length > kLongestText) throw TextTooLong();
    }
  }

 private:
  std::string from_, to_;
};

}  // namespace

std::unique_ptr<Decoder> make_replace_decoder(const nlohmann::json& description) {
  const auto pattern = description.find("pattern");
  if (pattern != description.end() && pattern->is_object() && pattern->contains("Regex")) {
    throw UnsupportedTokenizer(
        "its decoder \"Replace\" has a regular expression, which is not supported; token ids are shown instead");
  }
  if (pattern == description.end() || !pattern->is_object() || !pattern->contains("String") ||
      !(*pattern)["String"].is_string()) {
    throw TokenizerError("its Replace decoder lacks a \"pattern\" with a text \"String\"");
  }
  return std::make_unique<ReplaceDecoder>((*pattern)["String"].get<std::string>(), text_field(description, "content"));
}

}  // namespace saetap

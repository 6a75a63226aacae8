#include <nlohmann/json.hpp>

#include "integrations/tokenizers/decoder.h"
#include "integrations/tokenizers/texts_or_ids.h"
#include "integrations/tokenizers/tokenizer_formats.h"
#include "integrations/tokenizers/vocabulary.h"

namespace saetap {
namespace {

// By reference: copying a hostile, deeply nested value would exhaust the stack.
const nlohmann::json& part(const nlohmann::json& object, const char* key) {
  static const nlohmann::json kAbsent;
  const auto found = object.find(key);
  return found == object.end() ? kAbsent : *found;
}

class JsonTokenizer : public Tokenizer {
 public:
  JsonTokenizer(const nlohmann::json& tokenizer, IdTable vocab)
      : decoder_(make_decoder(part(tokenizer, "decoder"))), vocabulary_(tokenizer, std::move(vocab)) {}

  [[nodiscard]] std::vector<std::string> pieces(std::span<const std::int32_t> tokens) const override {
    return texts_or_ids(tokens, [&] {
      std::vector<OwnedText> parts = entries(tokens);
      decoder_->decode(parts);
      return pieces_of(parts, tokens.size());
    });
  }

  [[nodiscard]] std::vector<std::string> excerpt_pieces(std::span<const std::int32_t> tokens) const override {
    return texts_or_ids(tokens, [&] {
      std::vector<OwnedText> parts = entries(tokens);
      decoder_->decode_excerpt(parts);
      return pieces_of(parts, tokens.size());
    });
  }

  [[nodiscard]] const std::vector<std::int32_t>& special_ids() const override { return vocabulary_.special_ids(); }
  [[nodiscard]] const std::vector<std::int32_t>& boundary_ids() const override { return vocabulary_.boundary_ids(); }

 private:
  [[nodiscard]] std::vector<OwnedText> entries(std::span<const std::int32_t> tokens) const {
    std::vector<OwnedText> parts;
    parts.reserve(tokens.size());
    std::size_t length = 0;
    for (std::uint32_t i = 0; i < tokens.size(); ++i) {
      const std::string* entry = vocabulary_.entry(tokens[i]);
      parts.emplace_back(entry ? *entry : unknown_id_text(tokens[i]), i);
      length += parts.back().text().size();
      if (length > kLongestText) throw TextTooLong();
    }
    return parts;
  }

  std::unique_ptr<Decoder> decoder_;
  Vocabulary vocabulary_;
};

}  // namespace

std::unique_ptr<Tokenizer> tokenizer_from_json(const nlohmann::json& tokenizer, IdTable vocab) {
  return std::make_unique<JsonTokenizer>(tokenizer, std::move(vocab));
}

}  // namespace saetap

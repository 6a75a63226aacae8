#include <nlohmann/json.hpp>
#include <utility>

#include "integrations/tokenizers/decoder.h"
#include "integrations/tokenizers/decoder_fields.h"

namespace saetap {
namespace {

// Speech: a token for every moment, so what is heard twice in a row was said once.
class CtcDecoder : public Decoder {
 public:
  CtcDecoder(std::string pad, std::string word_delimiter, bool cleanup)
      : pad_(std::move(pad)), word_delimiter_(std::move(word_delimiter)), cleanup_(cleanup) {}

  void decode(std::vector<OwnedText>& parts) const override {
    std::vector<OwnedText> decoded;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (i > 0 && parts[i].text() == parts[i - 1].text()) continue;
      OwnedText part = parts[i];
      if (!pad_.empty()) part.replace_all(pad_, "");
      if (cleanup_) {  // the reference replaces the delimiter only then
        clean_up(part);
        part.replace_all(word_delimiter_, " ");
      }
      if (!part.empty()) decoded.push_back(std::move(part));
    }
    parts = std::move(decoded);
  }

 private:
  std::string pad_, word_delimiter_;
  bool cleanup_;
};

}  // namespace

std::unique_ptr<Decoder> make_ctc_decoder(const nlohmann::json& description) {
  return std::make_unique<CtcDecoder>(text_field(description, "pad_token"),
                                      text_field(description, "word_delimiter_token"),
                                      truth_field(description, "cleanup"));
}

}  // namespace saetap

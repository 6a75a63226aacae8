#include <nlohmann/json.hpp>
#include <utility>

#include "integrations/tokenizers/decoder.h"
#include "integrations/tokenizers/decoder_fields.h"

namespace saetap {
namespace {

// The first BPE vocabularies: "walk</w>" ends a word.
class BpeDecoder : public Decoder {
 public:
  explicit BpeDecoder(std::string suffix) : suffix_(std::move(suffix)) {}

  void decode(std::vector<OwnedText>& parts) const override {
    for (std::size_t i = 0; i < parts.size(); ++i) parts[i].replace_all(suffix_, i + 1 == parts.size() ? "" : " ");
  }

 private:
  std::string suffix_;
};

}  // namespace

std::unique_ptr<Decoder> make_bpe_decoder(const nlohmann::json& description) {
  return std::make_unique<BpeDecoder>(text_field(description, "suffix"));
}

}  // namespace saetap

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "integrations/tokenizers/decoder.h"
#include "integrations/tokenizers/decoder_fields.h"

namespace saetap {
namespace {

// In this order, each on the result of the one before (huggingface/tokenizers, decoders/wordpiece.rs, `cleanup`).
constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kCleanup{{{" .", "."},
                                                                                  {" ?", "?"},
                                                                                  {" !", "!"},
                                                                                  {" ,", ","},
                                                                                  {" ' ", "'"},
                                                                                  {" n't", "n't"},
                                                                                  {" 'm", "'m"},
                                                                                  {" do not", " don't"},
                                                                                  {" 's", "'s"},
                                                                                  {" 've", "'ve"},
                                                                                  {" 're", "'re"}}};

// BERT: "##ing" continues the word before it, anything else begins a new one.
class WordPieceDecoder : public Decoder {
 public:
  WordPieceDecoder(std::string prefix, bool cleanup) : prefix_(std::move(prefix)), cleanup_(cleanup) {}

  void decode(std::vector<OwnedText>& parts) const override {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      OwnedText& part = parts[i];
      if (i > 0) {
        if (part.text().starts_with(prefix_)) {
          part.keep(prefix_.size(), part.text().size());
        } else {
          part.prepend(" ");
        }
      }
      // Per part, as the reference does it: a replacement never reaches across two tokens.
      if (cleanup_) clean_up(part);
    }
  }

 private:
  std::string prefix_;
  bool cleanup_;
};

}  // namespace

void clean_up(OwnedText& text) {
  for (const auto& [from, to] : kCleanup) text.replace_all(from, to);
}

std::unique_ptr<Decoder> make_wordpiece_decoder(const nlohmann::json& description) {
  return std::make_unique<WordPieceDecoder>(text_field(description, "prefix"), truth_field(description, "cleanup"));
}

}  // namespace saetap

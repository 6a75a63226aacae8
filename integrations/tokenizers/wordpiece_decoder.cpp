#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "integrations/tokenizers/decoder.h"
#include "integrations/tokenizers/tokenizer.h"

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

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// BERT: "##ing" continues the word before it, anything else begins a new one.
class WordPieceDecoder : public Decoder {
 public:
  WordPieceDecoder(std::string prefix, bool cleanup) : prefix_(std::move(prefix)), cleanup_(cleanup) {}

  void decode(std::vector<std::string>& entries) const override {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      std::string& text = entries[i];
      if (i > 0) {
        if (text.starts_with(prefix_)) {
          text.erase(0, prefix_.size());
        } else {
          text.insert(0, 1, ' ');
        }
      }
      // Per token, as the reference does it: a replacement never reaches across two tokens.
      if (cleanup_) {
        for (const auto& [from, to] : kCleanup) replace_all(text, from, to);
      }
    }
  }

 private:
  std::string prefix_;
  bool cleanup_;
};

}  // namespace

std::unique_ptr<Decoder> make_wordpiece_decoder(const nlohmann::json& description) {
  const auto prefix = description.find("prefix");
  const auto cleanup = description.find("cleanup");
  if (prefix == description.end() || !prefix->is_string() || cleanup == description.end() || !cleanup->is_boolean()) {
    throw TokenizerError("its WordPiece decoder lacks a text \"prefix\" or a true/false \"cleanup\"");
  }
  return std::make_unique<WordPieceDecoder>(prefix->get<std::string>(), cleanup->get<bool>());
}

}  // namespace saetap

#include <nlohmann/json.hpp>
#include <utility>

#include "integrations/tokenizers/decoder.h"
#include "integrations/tokenizers/decoder_fields.h"

namespace saetap {
namespace {

// Cuts a character off the ends of every part, so many times at most. After Fuse that is the text's own ends (Llama).
class StripDecoder : public Decoder {
 public:
  StripDecoder(std::string content, std::size_t start, std::size_t stop)
      : content_(std::move(content)), start_(start), stop_(stop) {}

  void decode(std::vector<OwnedText>& parts) const override {
    for (OwnedText& part : parts) {
      std::string_view left = part.text();
      for (std::size_t i = 0; i < start_ && left.starts_with(content_); ++i) left.remove_prefix(content_.size());
      const std::size_t begin = part.text().size() - left.size();
      // Where both ends want the same character the reference fails; it can be cut but once.
      for (std::size_t i = 0; i < stop_ && left.ends_with(content_); ++i) left.remove_suffix(content_.size());
      part.keep(begin, begin + left.size());
    }
  }

 private:
  std::string content_;
  std::size_t start_, stop_;
};

}  // namespace

std::unique_ptr<Decoder> make_strip_decoder(const nlohmann::json& description) {
  return std::make_unique<StripDecoder>(character_field(description, "content"), count_field(description, "start"),
                                        count_field(description, "stop"));
}

}  // namespace saetap

#include <nlohmann/json.hpp>
#include <utility>

#include "integrations/tokenizers/decoder.h"
#include "integrations/tokenizers/tokenizer.h"

namespace saetap {
namespace {

constexpr int kDeepest = 16;  // in real files sequences hold no sequences; a hostile one must not exhaust the stack

class SequenceDecoder : public Decoder {
 public:
  explicit SequenceDecoder(std::vector<std::unique_ptr<Decoder>> decoders) : decoders_(std::move(decoders)) {}

  void decode(std::vector<OwnedText>& parts) const override {
    for (const auto& decoder : decoders_) {
      decoder->decode(parts);
      check_length(parts);  // before the next one multiplies it
    }
  }
  void decode_excerpt(std::vector<OwnedText>& parts) const override {
    for (const auto& decoder : decoders_) {
      decoder->decode_excerpt(parts);
      check_length(parts);
    }
  }

 private:
  std::vector<std::unique_ptr<Decoder>> decoders_;
};

}  // namespace

std::unique_ptr<Decoder> make_sequence_decoder(const nlohmann::json& description, int depth) {
  const auto listed = description.find("decoders");
  if (listed == description.end() || !listed->is_array()) {
    throw TokenizerError("its Sequence decoder lacks a list \"decoders\"");
  }
  if (depth == kDeepest) throw TokenizerError("its Sequence decoders are nested too deeply");
  std::vector<std::unique_ptr<Decoder>> decoders;
  for (const auto& one : *listed) {
    if (one.is_null()) throw TokenizerError("its Sequence decoder holds a null");
    decoders.push_back(make_decoder(one, depth + 1));
  }
  return std::make_unique<SequenceDecoder>(std::move(decoders));
}

}  // namespace saetap

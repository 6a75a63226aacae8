#include "integrations/tokenizers/decoder.h"

namespace saetap {
namespace {

class SpacedDecoder : public Decoder {
 public:
  void decode(std::vector<OwnedText>& parts) const override {
    for (std::size_t i = 1; i < parts.size(); ++i) parts[i].prepend(" ");
  }
};

}  // namespace

std::unique_ptr<Decoder> make_spaced_decoder() {
  return std::make_unique<SpacedDecoder>();
}

}  // namespace saetap

#include "integrations/tokenizers/decoder.h"

namespace saetap {
namespace {

class FuseDecoder : public Decoder {
 public:
  void decode(std::vector<OwnedText>& parts) const override {
    OwnedText fused(0);
    for (const OwnedText& part : parts) fused.append(part);
    parts.assign(1, fused);
  }
};

}  // namespace

std::unique_ptr<Decoder> make_fuse_decoder() {
  return std::make_unique<FuseDecoder>();
}

}  // namespace saetap

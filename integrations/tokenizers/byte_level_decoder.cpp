#include <optional>
#include <unordered_map>

#include "integrations/tokenizers/decoder.h"
#include "integrations/tokenizers/utf8.h"

namespace saetap {
namespace {

std::string utf8_of(unsigned code) {  // below U+0800
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 0x3F))};
}

bool stands_for_itself(unsigned byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

// GPT-2 writes a byte that is printable in Latin-1 as that character, and the others, in order, as U+0100 and on.
std::unordered_map<std::string, char> bytes_by_character() {
  std::unordered_map<std::string, char> bytes;
  unsigned next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    bytes.emplace(utf8_of(stands_for_itself(byte) ? byte : next++), static_cast<char>(byte));
  }
  return bytes;
}

class ByteLevelDecoder : public Decoder {
 public:
  void decode(std::vector<OwnedText>& parts) const override {
    OwnedText bytes(0);
    for (const OwnedText& part : parts) {
      if (const std::optional<OwnedText> written = bytes_of(part)) {
        bytes.append(*written);
      } else {
        bytes.append(part);
      }
    }
    parts.assign(1, utf8_lossy(bytes));
  }

 private:
  // Nothing if a single character stands for no byte: then it is an added token, which is text already.
  [[nodiscard]] std::optional<OwnedText> bytes_of(const OwnedText& part) const {
    const std::string& text = part.text();
    OwnedText bytes(0);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t length = utf8_start(std::string_view(text).substr(at)).bytes;
      const auto found = bytes_.find(text.substr(at, length));
      if (found == bytes_.end()) return std::nullopt;
      bytes.append({&found->second, 1}, part.owner(at));
      at += length;
    }
    return bytes;
  }

  std::unordered_map<std::string, char> bytes_ = bytes_by_character();
};

}  // namespace

std::unique_ptr<Decoder> make_byte_level_decoder() {
  return std::make_unique<ByteLevelDecoder>();
}

}  // namespace saetap

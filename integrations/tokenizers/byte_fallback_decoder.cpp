#include <optional>

#include "integrations/tokenizers/decoder.h"
#include "integrations/tokenizers/utf8.h"

namespace saetap {
namespace {

std::optional<int> hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return std::nullopt;
}

// "<0x0A>" is the byte 10. (So is "<0x+A>": the reference parses the digits as a number with a sign.)
std::optional<char> byte_of(const std::string& entry) {
  if (entry.size() != 6 || !entry.starts_with("<0x") || entry[5] != '>') return std::nullopt;
  const std::optional<int> high = entry[3] == '+' ? 0 : hex_digit(entry[3]);
  const std::optional<int> low = hex_digit(entry[4]);
  if (!high || !low) return std::nullopt;
  return static_cast<char>(*high * 16 + *low);
}

// Bytes that follow each other are one part if they are UTF-8 together; if not, each is a U+FFFD of its own.
void add_bytes(const OwnedText& bytes, std::vector<OwnedText>& parts) {
  if (bytes.empty()) return;
  if (is_utf8(bytes.text())) {
    parts.push_back(utf8_lossy(bytes));
    return;
  }
  for (std::size_t i = 0; i < bytes.text().size(); ++i) parts.emplace_back(kReplacementCharacter, bytes.owner(i));
}

class ByteFallbackDecoder : public Decoder {
 public:
  void decode(std::vector<OwnedText>& parts) const override {
    std::vector<OwnedText> decoded;
    decoded.reserve(parts.size());
    OwnedText bytes(0);
    for (OwnedText& part : parts) {
      if (const std::optional<char> byte = byte_of(part.text())) {
        bytes.append({&*byte, 1}, part.owner(5));
        continue;
      }
      add_bytes(bytes, decoded);
      bytes = OwnedText(0);
      decoded.push_back(std::move(part));
    }
    add_bytes(bytes, decoded);
    parts = std::move(decoded);
  }
};

}  // namespace

std::unique_ptr<Decoder> make_byte_fallback_decoder() {
  return std::make_unique<ByteFallbackDecoder>();
}

}  // namespace saetap

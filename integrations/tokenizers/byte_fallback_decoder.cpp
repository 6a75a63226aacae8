#include <algorithm>
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

// How many of the bytes that a text begins with can only be the end of a character.
std::size_t cut_at_begin(std::string_view bytes) {
  constexpr std::size_t kMost = 3;
  std::size_t count = 0;
  while (count < std::min(kMost, bytes.size()) && (bytes[count] & 0xC0) == 0x80) ++count;
  return count;
}

// How many bytes of a character that is not finished a text ends with.
std::size_t cut_at_end(std::string_view bytes) {
  while (!bytes.empty()) {
    const Utf8Start start = utf8_start(bytes);
    // What is broken otherwise is not the cut's doing.
    const auto lead = static_cast<unsigned char>(bytes.front());
    if (!start.valid) return start.bytes == bytes.size() && lead >= 0xC2 && lead <= 0xF4 ? start.bytes : 0;
    bytes.remove_prefix(start.bytes);
  }
  return 0;
}

using Parts = std::vector<OwnedText>;

// The bytes of the parts [begin, ...) up to the first that is none.
std::string bytes_from(Parts::const_iterator begin, Parts::const_iterator end) {
  std::string bytes;
  for (; begin != end; ++begin) {
    const std::optional<char> byte = byte_of(begin->text());
    if (!byte) break;
    bytes += *byte;
  }
  return bytes;
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

  // What a cut left of a character would make every byte beside it a U+FFFD.
  void decode_excerpt(Parts& parts) const override {
    const std::size_t begin = cut_at_begin(bytes_from(parts.begin(), parts.end()));
    auto run = parts.end();
    while (run != parts.begin() + static_cast<std::ptrdiff_t>(begin) && byte_of((run - 1)->text())) --run;
    const std::size_t end = cut_at_end(bytes_from(run, parts.end()));
    // A token alone is shown for what it is.
    if (begin + end < parts.size()) {
      parts.resize(parts.size() - end, OwnedText(0));
      parts.erase(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(begin));
    }
    decode(parts);
  }
};

}  // namespace

std::unique_ptr<Decoder> make_byte_fallback_decoder() {
  return std::make_unique<ByteFallbackDecoder>();
}

}  // namespace saetap

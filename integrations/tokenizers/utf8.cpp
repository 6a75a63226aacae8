#include "integrations/tokenizers/utf8.h"

namespace saetap {
namespace {

struct Lead {
  std::size_t length;  // 0: begins no character
  unsigned char lowest_second, highest_second;
};

Lead lead_of(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte < 0xF0) {
    const bool overlong = byte == 0xE0;
    const bool surrogates = byte == 0xED;
    return {3, static_cast<unsigned char>(overlong ? 0xA0 : 0x80),
            static_cast<unsigned char>(surrogates ? 0x9F : 0xBF)};
  }
  if (byte < 0xF5) {
    const bool overlong = byte == 0xF0;
    const bool too_high = byte == 0xF4;
    return {4, static_cast<unsigned char>(overlong ? 0x90 : 0x80), static_cast<unsigned char>(too_high ? 0x8F : 0xBF)};
  }
  return {0, 0, 0};
}

}  // namespace

Utf8Start utf8_start(std::string_view text) {
  const Lead lead = lead_of(static_cast<unsigned char>(text.front()));
  if (lead.length == 0) return {1, false};
  for (std::size_t i = 1; i < lead.length; ++i) {
    if (i == text.size()) return {i, false};
    const auto byte = static_cast<unsigned char>(text[i]);
    const unsigned char lowest = i == 1 ? lead.lowest_second : 0x80;
    const unsigned char highest = i == 1 ? lead.highest_second : 0xBF;
    if (byte < lowest || byte > highest) return {i, false};
  }
  return {lead.length, true};
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8Start start = utf8_start(text);
    if (!start.valid) return false;
    text.remove_prefix(start.bytes);
  }
  return true;
}

}  // namespace saetap

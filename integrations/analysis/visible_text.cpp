#include "integrations/analysis/visible_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace saetap {
namespace {

constexpr char32_t kNotUtf8 = 0xFFFFFFFF;

struct Character {
  char32_t code = kNotUtf8;
  std::size_t bytes = 1;
};

// The character at the start of `text`, which is not empty. Overlong forms, surrogates and codes past U+10FFFF are
// refused.
Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {};
  char32_t code = lead & (0x7F >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3F);
  }
  constexpr std::array<char32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[bytes] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
  return {code, bytes};
}

struct Range {
  char32_t first;
  char32_t last;
};

template <std::size_t n>
bool within(const std::array<Range, n>& ranges, char32_t code) {
  return std::any_of(ranges.begin(), ranges.end(), [&](Range r) { return code >= r.first && code <= r.last; });
}

// C0, DEL and C1; then what hides or reorders the text around it.
constexpr std::array<Range, 9> kUnsafe{{{0x00, 0x1F},
                                        {0x7F, 0x9F},
                                        {0xAD, 0xAD},
                                        {0x61C, 0x61C},
                                        {0x200B, 0x200F},
                                        {0x2028, 0x202E},
                                        {0x2060, 0x206F},
                                        {0xFEFF, 0xFEFF},
                                        {0xE0000, 0xE007F}}};
constexpr std::array<Range, 6> kCombining{
    {{0x300, 0x36F}, {0x483, 0x489}, {0x591, 0x5BD}, {0x64B, 0x65F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}}};
constexpr std::array<Range, 8> kWide{{{0x1100, 0x115F},
                                      {0x2E80, 0x303E},
                                      {0x3041, 0xA4CF},
                                      {0xAC00, 0xD7A3},
                                      {0xF900, 0xFAFF},
                                      {0xFE30, 0xFE6F},
                                      {0xFF00, 0xFF60},
                                      {0x1F300, 0x1F9FF}}};

std::string escape(char32_t code) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), code < 0x100 ? "\\x%02X" : "\\u{%X}", static_cast<unsigned>(code));
  return text.data();
}

std::size_t columns(char32_t code) {
  if (within(kCombining, code)) return 0;
  return within(kWide, code) || (code >= 0x20000 && code <= 0x3FFFD) ? 2 : 1;
}

}  // namespace

std::string visible(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  while (!text.empty()) {
    const Character next = first_character(text);
    if (next.code == kNotUtf8) {
      safe += "\uFFFD";
    } else if (next.code == '\n') {
      safe += "↵";
    } else if (next.code == '\t') {
      safe += "⇥";
    } else if (within(kUnsafe, next.code)) {
      safe += escape(next.code);
    } else {
      safe += text.substr(0, next.bytes);
    }
    text.remove_prefix(next.bytes);
  }
  return safe;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const Character next = first_character(text);
    width += columns(next.code);
    text.remove_prefix(next.bytes);
  }
  return width;
}

std::string_view leading_columns(std::string_view text, std::size_t width) {
  std::size_t taken = 0;
  while (taken < text.size()) {
    const Character next = first_character(text.substr(taken));
    const std::size_t needed = columns(next.code);
    if (needed > width) break;
    width -= needed;
    taken += next.bytes;
  }
  return text.substr(0, taken);
}

std::string_view trailing_columns(std::string_view text, std::size_t width) {
  std::size_t surplus = display_width(text);
  while (surplus > width) {
    const Character next = first_character(text);
    surplus -= columns(next.code);
    text.remove_prefix(next.bytes);
  }
  return text;
}

}  // namespace saetap

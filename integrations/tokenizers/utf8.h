// Where characters begin and end in bytes that may not be UTF-8.
#pragma once

#include <cstddef>
#include <string_view>

namespace saetap {

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

struct Utf8Start {
  std::size_t bytes;  // at least 1
  bool valid;
};

// What a text that is not empty begins with: a whole character, or (not valid) the longest part of one that is there,
// or one byte that begins none. Unicode 15, table 3-7: no surrogates, nothing above U+10FFFF, nothing in more bytes
// than it needs.
[[nodiscard]] Utf8Start utf8_start(std::string_view text);

[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace saetap

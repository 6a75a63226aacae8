// Text from anywhere, made safe to show on one line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace saetap {

// Line breaks and tabs become ↵ and ⇥; other control characters, and characters that reorder or hide text
// (bidirectional overrides, zero-width ones), become \x1B or \u{202E}; bytes that are not UTF-8 become U+FFFD. A
// terminal does with the result nothing but show it.
[[nodiscard]] std::string visible(std::string_view text);

// Columns a terminal takes for visible text: 2 for East Asian wide characters and emoji, 0 for combining marks.
[[nodiscard]] std::size_t display_width(std::string_view text);

// The longest beginning or end of visible text that fits into `width` columns.
[[nodiscard]] std::string_view leading_columns(std::string_view text, std::size_t width);
[[nodiscard]] std::string_view trailing_columns(std::string_view text, std::size_t width);

}  // namespace saetap

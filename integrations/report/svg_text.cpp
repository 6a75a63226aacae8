#include "integrations/report/svg_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "integrations/analysis/visible_text.h"

namespace saetap {
namespace {

// U+FFFE and U+FFFF: characters of UTF-8 that no XML may hold.
bool is_forbidden(std::string_view text) {
  return text.starts_with("\xEF\xBF\xBE") || text.starts_with("\xEF\xBF\xBF");
}

std::string_view entity_of(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

}  // namespace

std::string svg_escaped(std::string_view text) {
  const std::string safe = visible(text);
  std::string escaped;
  for (std::size_t i = 0; i < safe.size(); ++i) {
    const std::string_view entity = entity_of(safe[i]);
    if (!entity.empty()) {
      escaped += entity;
    } else if (is_forbidden(std::string_view(safe).substr(i))) {
      escaped += "\uFFFD";
      i += 2;
    } else {
      escaped += safe[i];
    }
  }
  return escaped;
}

std::string svg_number(double value) {
  constexpr double kLargest = 1e6;  // millimetres: whatever is farther away is outside of any picture
  if (!std::isfinite(value)) return "0";
  std::array<char, 32> text{};
  const double bounded = std::clamp(value, -kLargest, kLargest);
  const auto written = std::to_chars(text.data(), text.data() + text.size(), bounded, std::chars_format::fixed, 2);
  std::string number(text.data(), written.ptr);
  number.erase(number.find_last_not_of('0') + 1);
  if (number.ends_with('.')) number.pop_back();
  return number == "-0" ? "0" : number;
}

}  // namespace saetap

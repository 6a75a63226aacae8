#include "integrations/tensors/natural_order.h"

#include <algorithm>
#include <compare>

namespace saetap::tensors {
namespace {

bool is_digit(char character) {
  return character >= '0' && character <= '9';
}

// The digits that `text` begins with, without leading zeros; cut off from it.
std::string_view take_number(std::string_view& text) {
  const auto end = std::ranges::find_if_not(text, is_digit) - text.begin();
  auto number = text.substr(0, static_cast<std::size_t>(end));
  text.remove_prefix(number.size());
  number.remove_prefix(std::min(number.find_first_not_of('0'), number.size()));
  return number;
}

}  // namespace

bool naturally_before(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    if (is_digit(a.front()) && is_digit(b.front())) {
      const auto x = take_number(a), y = take_number(b);
      const auto order = x.size() == y.size() ? x <=> y : x.size() <=> y.size();  // more digits, a larger number
      if (order != 0) return order < 0;
      continue;
    }
    if (a.front() != b.front()) return static_cast<unsigned char>(a.front()) < static_cast<unsigned char>(b.front());
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  return a.empty() && !b.empty();
}

}  // namespace saetap::tensors

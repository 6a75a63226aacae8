#include "plugin/collect/windows.h"

#include <limits>

namespace saetap {

Window window_of(const WindowRule& rule, std::uint64_t step) {
  constexpr std::uint64_t kEndless = std::numeric_limits<std::uint64_t>::max();
  switch (rule.kind) {
    case WindowRule::Kind::single:
      return {0, 0, kEndless};
    case WindowRule::Kind::fixed: {
      const std::uint64_t number = step / rule.fixed_steps;
      const std::uint64_t first = number * rule.fixed_steps;
      return {number, first, first > kEndless - rule.fixed_steps ? kEndless : first + rule.fixed_steps};
    }
    case WindowRule::Kind::growing:
      break;
  }
  // Counted up from the start, in whole numbers: about a hundred turns to 10^12 steps, and asked once a window.
  Window window{0, 0, kFirstWindowSteps};
  for (std::uint64_t length = kFirstWindowSteps; step >= window.end_step;) {
    length += length / 4;
    window.first_step = window.end_step;
    window.end_step = length > kEndless - window.end_step ? kEndless : window.end_step + length;
    ++window.number;
    if (window.end_step == kEndless) break;
  }
  return window;
}

}  // namespace saetap

#include "integrations/report/plot_style.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace saetap {

const SeriesStyle& series_style(std::size_t series) {
  static constexpr std::array<SeriesStyle, kMostSeries> kStyles{{{"#000000", "", MarkShape::dot},
                                                                 {"#0072b2", "2.4 1", MarkShape::square},
                                                                 {"#d55e00", "0.8 0.8", MarkShape::triangle},
                                                                 {"#009e73", "3 0.8 0.8 0.8", MarkShape::diamond},
                                                                 {"#cc79a7", "1.4 0.6", MarkShape::ring},
                                                                 {"#b87f00", "4 1.4", MarkShape::box},
                                                                 {"#3d96cb", "3 0.7 0.7 0.7 0.7 0.7", MarkShape::cross},
                                                                 {"#666666", "0.4 0.6", MarkShape::plus}}};
  return kStyles[std::min(series, kMostSeries - 1)];
}

std::string shade(double amount) {
  constexpr std::array<int, 3> kDark{8, 48, 107};
  const double share = std::isfinite(amount) ? std::clamp(amount, 0.0, 1.0) : 0;
  const auto mixed = [&](int dark) { return static_cast<unsigned>(std::lround(255 + share * (dark - 255))); };
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "#%02x%02x%02x", mixed(kDark[0]) & 0xFF, mixed(kDark[1]) & 0xFF,
                mixed(kDark[2]) & 0xFF);
  return text.data();
}

std::string_view text_color_on(double amount) {
  constexpr double kMiddle = 0.65;  // where both have a contrast of 4.5
  return amount > kMiddle ? "#ffffff" : "#000000";
}

}  // namespace saetap

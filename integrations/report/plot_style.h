// How series and amounts look: told apart without colour, and by those who see colours otherwise.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "integrations/report/svg_drawing.h"

namespace saetap {

inline constexpr double kTextSize = 3;
inline constexpr double kSmallTextSize = 2.6;
inline constexpr double kMarkSize = 1.5;
inline constexpr double kSeriesWidth = 0.35;
inline constexpr std::string_view kGridColor = "#dddddd";
inline constexpr std::string_view kNoteColor = "#444444";
inline constexpr std::string_view kBarColor = "#5b7f9f";
inline constexpr std::string_view kFillColor = "#a9c1d6";
inline constexpr std::string_view kPaleColor = "#dde7ef";

// A line of its own dash and a mark of its own shape, besides its colour (of Okabe and Ito's, the darker ones first).
struct SeriesStyle {
  std::string_view color;
  std::string_view dash;
  MarkShape shape;

  [[nodiscard]] Stroke stroke() const { return {.color = color, .width = kSeriesWidth, .dash = dash}; }
};

// More series than this are not told apart in one picture.
inline constexpr std::size_t kMostSeries = 8;
// `series`: below kMostSeries.
[[nodiscard]] const SeriesStyle& series_style(std::size_t series);

// "#9aa4b4": from white (0) to a dark blue (1), darker for more, also in grey.
[[nodiscard]] std::string shade(double amount);
// What is readable on shade(amount).
[[nodiscard]] std::string_view text_color_on(double amount);

}  // namespace saetap

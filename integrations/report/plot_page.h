// A picture as a page: a title above, what the marks mean, an area to draw in, and a caption below.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "integrations/report/plot_style.h"
#include "integrations/report/svg_drawing.h"

namespace saetap {

struct LegendEntry {
  enum class Sample : std::uint8_t { line, line_and_mark, mark, box };
  std::string text;
  Sample sample = Sample::line_and_mark;
  SeriesStyle style{"#000000", "", MarkShape::dot};
  std::string fill = {};  // of a box
};

struct PlotWords {
  std::string title;
  std::string caption;  // what is drawn, of what, and of how many; wrapped to the width
  std::vector<LegendEntry> legend = {};
};

// Begins a picture whose area to draw in is `height` high, and `width` wide with `left` and `right` beside it; axes
// are drawn into the room beside and below.
struct PlotRoom {
  double left = 20;
  double right = 6;
  double width = 114;
  double height = 72;
  double below = 11;
};

class PlotPage {
 public:
  PlotPage(const PlotWords& words, const PlotRoom& room);

  [[nodiscard]] SvgDrawing& drawing() { return *drawing_; }
  [[nodiscard]] const PlotBox& area() const { return area_; }
  [[nodiscard]] std::string finished() { return drawing_->finished(); }

 private:
  std::optional<SvgDrawing> drawing_;
  PlotBox area_;
};

// Words of `text` in lines of at most `width` millimetres; a word that is wider has a line to itself, cut.
[[nodiscard]] std::vector<std::string> wrapped(const std::string& text, double width, double size);

}  // namespace saetap

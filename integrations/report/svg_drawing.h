// Lines, marks and text as an SVG picture. All lengths in millimetres, x to the right and y down from the upper left.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace saetap {

struct PlotPoint {
  double x = 0;
  double y = 0;
};

struct PlotBox {
  double left = 0;
  double top = 0;
  double width = 0;
  double height = 0;

  [[nodiscard]] double right() const { return left + width; }
  [[nodiscard]] double bottom() const { return top + height; }
};

struct Stroke {
  std::string_view color = "#000000";
  double width = 0.25;
  std::string_view dash = {};  // lengths of dashes and gaps, "2 1"; empty: a full line
};

enum class MarkShape : std::uint8_t { dot, square, triangle, diamond, cross, plus, ring, box };

struct TextStyle {
  enum class Anchor : std::uint8_t { start, middle, end };
  double size = 3;
  Anchor anchor = Anchor::start;
  bool bold = false;
  bool upright = false;  // read from below, for the label of a vertical axis
  std::string_view color = "#000000";
};

// How wide text is going to be, in the widest of the usual fonts: which one is taken is not known here.
[[nodiscard]] double text_width(std::string_view text, double size);

class SvgDrawing {
 public:
  // `title`: what the picture is of, for readers that do not show it.
  SvgDrawing(double width, double height, std::string_view title);

  void line(PlotPoint from, PlotPoint to, const Stroke& stroke);
  void polyline(std::span<const PlotPoint> points, const Stroke& stroke);
  void area(std::span<const PlotPoint> outline, std::string_view color);
  // `fill`: "none" for an outline alone.
  void rectangle(const PlotBox& box, std::string_view fill, const Stroke& stroke);
  // A rectangle without an outline, of the class "mark".
  void cell(const PlotBox& box, std::string_view fill);
  // `size` across. Of the class "mark".
  void mark(MarkShape shape, PlotPoint at, double size, std::string_view color);
  // The baseline is at `at`. The text is escaped here.
  void text(PlotPoint at, std::string_view text, const TextStyle& style);

  // What is drawn up to the matching end() is one group, which programs that edit or test pictures find by its class.
  void begin(std::string_view group);
  void end();

  // The whole document; nothing is drawn after it.
  [[nodiscard]] std::string finished();

 private:
  void stroked(const Stroke& stroke);
  void points(std::span<const PlotPoint> points);
  void attribute(std::string_view name, double value);

  std::string svg_;
};

}  // namespace saetap

#include "integrations/report/svg_drawing.h"

#include <utility>

#include "integrations/analysis/visible_text.h"
#include "integrations/report/svg_text.h"

namespace saetap {
namespace {

std::string at(double x, double y) {
  return svg_number(x) + " " + svg_number(y);
}

// The outline of a shape that is drawn as a path.
std::string path_of(MarkShape shape, PlotPoint p, double half) {
  switch (shape) {
    case MarkShape::triangle:
      return "M" + at(p.x - half, p.y + half * 0.8) + "L" + at(p.x + half, p.y + half * 0.8) + "L" +
             at(p.x, p.y - half) + "Z";
    case MarkShape::diamond:
      return "M" + at(p.x - half, p.y) + "L" + at(p.x, p.y - half) + "L" + at(p.x + half, p.y) + "L" +
             at(p.x, p.y + half) + "Z";
    case MarkShape::cross:
      return "M" + at(p.x - half, p.y - half) + "L" + at(p.x + half, p.y + half) + "M" + at(p.x - half, p.y + half) +
             "L" + at(p.x + half, p.y - half);
    case MarkShape::plus:
      return "M" + at(p.x - half, p.y) + "L" + at(p.x + half, p.y) + "M" + at(p.x, p.y - half) + "L" +
             at(p.x, p.y + half);
    default:
      return "M" + at(p.x - half, p.y - half) + "h" + svg_number(2 * half) + "v" + svg_number(2 * half) + "h" +
             svg_number(-2 * half) + "Z";
  }
}

bool is_open(MarkShape shape) {
  return shape == MarkShape::cross || shape == MarkShape::plus || shape == MarkShape::ring || shape == MarkShape::box;
}

std::string_view name_of(TextStyle::Anchor anchor) {
  if (anchor == TextStyle::Anchor::middle) return "middle";
  return anchor == TextStyle::Anchor::end ? "end" : "start";
}

}  // namespace

double text_width(std::string_view text, double size) {
  constexpr double kColumn = 0.6;  // of the size: DejaVu Sans, which Debian takes for sans-serif
  return static_cast<double>(display_width(text)) * kColumn * size;
}

SvgDrawing::SvgDrawing(double width, double height, std::string_view title) {
  svg_ =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"" +
      svg_number(width) + "mm\" height=\"" + svg_number(height) + "mm\" viewBox=\"0 0 " + at(width, height) +
      "\" font-family=\"Helvetica, Arial, sans-serif\">\n<title>" + svg_escaped(title) + "</title>\n";
  rectangle({0, 0, width, height}, "#ffffff", {.color = "none"});
}

void SvgDrawing::attribute(std::string_view name, double value) {
  svg_.append(" ").append(name).append("=\"").append(svg_number(value)).append("\"");
}

void SvgDrawing::stroked(const Stroke& stroke) {
  svg_.append(" stroke=\"").append(stroke.color).append("\"");
  if (stroke.color == "none") return;
  attribute("stroke-width", stroke.width);
  if (!stroke.dash.empty()) svg_.append(" stroke-dasharray=\"").append(stroke.dash).append("\"");
}

void SvgDrawing::points(std::span<const PlotPoint> points) {
  svg_ += " points=\"";
  for (const PlotPoint& point : points) svg_ += (&point == points.data() ? "" : " ") + at(point.x, point.y);
  svg_ += "\"";
}

void SvgDrawing::line(PlotPoint from, PlotPoint to, const Stroke& stroke) {
  svg_ += "<line";
  attribute("x1", from.x);
  attribute("y1", from.y);
  attribute("x2", to.x);
  attribute("y2", to.y);
  stroked(stroke);
  svg_ += "/>\n";
}

void SvgDrawing::polyline(std::span<const PlotPoint> outline, const Stroke& stroke) {
  svg_ += "<polyline fill=\"none\"";
  stroked(stroke);
  points(outline);
  svg_ += "/>\n";
}

void SvgDrawing::area(std::span<const PlotPoint> outline, std::string_view color) {
  svg_.append("<polygon fill=\"").append(color).append("\"");
  points(outline);
  svg_ += "/>\n";
}

void SvgDrawing::rectangle(const PlotBox& box, std::string_view fill, const Stroke& stroke) {
  svg_.append("<rect fill=\"").append(fill).append("\"");
  attribute("x", box.left);
  attribute("y", box.top);
  attribute("width", box.width);
  attribute("height", box.height);
  stroked(stroke);
  svg_ += "/>\n";
}

void SvgDrawing::cell(const PlotBox& box, std::string_view fill) {
  svg_.append("<rect class=\"mark\" fill=\"").append(fill).append("\"");
  attribute("x", box.left);
  attribute("y", box.top);
  attribute("width", box.width);
  attribute("height", box.height);
  svg_ += " shape-rendering=\"crispEdges\"/>\n";
}

void SvgDrawing::mark(MarkShape shape, PlotPoint point, double size, std::string_view color) {
  const bool round = shape == MarkShape::dot || shape == MarkShape::ring;
  svg_ += round ? "<circle class=\"mark\"" : "<path class=\"mark\"";
  if (round) {
    attribute("cx", point.x);
    attribute("cy", point.y);
    attribute("r", size / 2);
  } else {
    svg_ += " d=\"" + path_of(shape, point, size / 2) + "\"";
  }
  if (is_open(shape)) {
    svg_ += " fill=\"none\"";
    stroked({.color = color, .width = 0.2});
  } else {
    svg_.append(" fill=\"").append(color).append("\"");
  }
  svg_ += "/>\n";
}

void SvgDrawing::text(PlotPoint point, std::string_view text, const TextStyle& style) {
  svg_ += "<text";
  attribute("x", point.x);
  attribute("y", point.y);
  attribute("font-size", style.size);
  if (style.anchor != TextStyle::Anchor::start) {
    svg_.append(" text-anchor=\"").append(name_of(style.anchor)).append("\"");
  }
  if (style.bold) svg_ += " font-weight=\"bold\"";
  if (style.color != "#000000") svg_.append(" fill=\"").append(style.color).append("\"");
  if (style.upright) svg_ += " transform=\"rotate(-90 " + at(point.x, point.y) + ")\"";
  svg_ += ">" + svg_escaped(text) + "</text>\n";
}

void SvgDrawing::begin(std::string_view group) {
  svg_ += "<g class=\"" + svg_escaped(group) + "\">\n";
}

void SvgDrawing::end() {
  svg_ += "</g>\n";
}

std::string SvgDrawing::finished() {
  return std::move(svg_) + "</svg>\n";
}

}  // namespace saetap

// Two axes around an area, and where values lie in it.
#pragma once

#include <string>

#include "integrations/report/plot_scale.h"
#include "integrations/report/svg_drawing.h"

namespace saetap {

struct PlotAxis {
  std::string label;  // with the unit: "density (% of tokens)"
  PlotScale scale;
  TickText text = TickText::number;
};

class PlotFrame {
 public:
  PlotFrame(const PlotBox& area, PlotAxis x, PlotAxis y) : area_(area), x_(std::move(x)), y_(std::move(y)) {}

  [[nodiscard]] const PlotBox& area() const { return area_; }
  [[nodiscard]] PlotPoint at(double x, double y) const {
    return {area_.left + x_.scale.share(x) * area_.width, area_.bottom() - y_.scale.share(y) * area_.height};
  }

  // Lines at the labelled ticks; below what is plotted.
  void draw_grid(SvgDrawing& drawing) const;
  // Frame, ticks, labels: groups "x-axis" and "y-axis". They reach kLeftRoom and kBelowRoom out of the area.
  void draw_axes(SvgDrawing& drawing) const;
  // A line from bottom to top at `x` with a note at its upper end; on the side where there is room.
  void draw_mark_line(SvgDrawing& drawing, double x, const std::string& note, std::string_view dash,
                      double below_top) const;

  static constexpr double kLeftRoom = 18;
  static constexpr double kBelowRoom = 11;

 private:
  void draw_x_axis(SvgDrawing& drawing) const;
  void draw_y_axis(SvgDrawing& drawing) const;

  PlotBox area_;
  PlotAxis x_;
  PlotAxis y_;
};

// A bar of the class "mark" from 0 up to `height`, with a little room to the next.
void draw_bar(SvgDrawing& drawing, const PlotFrame& frame, double from, double to, double height);

}  // namespace saetap

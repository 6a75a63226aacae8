// Many points in a frame: each by a mark of its own, or, where they are too many for that, by how many share a cell.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "integrations/report/plot_frame.h"
#include "integrations/report/plot_page.h"

namespace saetap {

struct CloudPoint {
  double x = 0;
  double y = 0;
  std::size_t kind = 0;  // index into the kinds
};

// Points of one kind look alike.
struct CloudKind {
  std::string text;  // in the legend; empty: it has no entry
  SeriesStyle style;
  double size = 1;
};

// Above this, points are drawn as cells: a mark each makes a file that programs open slowly, and hides what lies below.
inline constexpr std::size_t kMostMarks = 5000;
inline constexpr double kCellSize = 1;  // millimetres

class PointCloud {
 public:
  PointCloud(std::vector<CloudPoint> points, std::vector<CloudKind> kinds)
      : points_(std::move(points)), kinds_(std::move(kinds)) {}

  [[nodiscard]] bool in_cells() const { return points_.size() > kMostMarks; }
  [[nodiscard]] std::vector<LegendEntry> legend() const;
  // Which rule the marks follow: "One square of 1 mm for the features in it, the darker the more. "; empty for a mark
  // each.
  [[nodiscard]] std::string rule() const;
  // Each kind in a group "series"; of cells one group "cells".
  void draw(SvgDrawing& drawing, const PlotFrame& frame) const;

 private:
  void draw_cells(SvgDrawing& drawing, const PlotFrame& frame) const;

  std::vector<CloudPoint> points_;
  std::vector<CloudKind> kinds_;
};

}  // namespace saetap

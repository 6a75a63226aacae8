#include "integrations/report/point_cloud.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace saetap {
namespace {

// From how many features on a cell is how dark.
struct CellStep {
  std::uint64_t from;
  double amount;
  const char* text;
};
constexpr std::array<CellStep, 5> kCellSteps{{{1, 0.18, "1 to 3 features"},
                                              {4, 0.38, "4 to 15"},
                                              {16, 0.6, "16 to 63"},
                                              {64, 0.8, "64 to 255"},
                                              {256, 1, "more"}}};

double amount_of(std::uint64_t features) {
  double amount = 0;
  for (const CellStep& step : kCellSteps) {
    if (features >= step.from) amount = step.amount;
  }
  return amount;
}

}  // namespace

std::vector<LegendEntry> PointCloud::legend() const {
  std::vector<LegendEntry> entries;
  if (in_cells()) {
    for (const CellStep& step : kCellSteps) {
      entries.push_back({.text = step.text, .sample = LegendEntry::Sample::box, .fill = shade(step.amount)});
    }
    return entries;
  }
  for (const CloudKind& kind : kinds_) {
    if (!kind.text.empty()) {
      entries.push_back({.text = kind.text, .sample = LegendEntry::Sample::mark, .style = kind.style});
    }
  }
  return entries;
}

std::string PointCloud::rule() const {
  return in_cells() ? "Too many to draw each: a square of 1 mm stands for the features in it, the darker the more. "
                    : "";
}

void PointCloud::draw(SvgDrawing& drawing, const PlotFrame& frame) const {
  if (in_cells()) {
    draw_cells(drawing, frame);
    return;
  }
  for (std::size_t kind = 0; kind < kinds_.size(); ++kind) {
    const CloudKind& own = kinds_[kind];
    drawing.begin("series");
    for (const CloudPoint& point : points_) {
      if (point.kind == kind) drawing.mark(own.style.shape, frame.at(point.x, point.y), own.size, own.style.color);
    }
    drawing.end();
  }
}

void PointCloud::draw_cells(SvgDrawing& drawing, const PlotFrame& frame) const {
  std::map<std::pair<int, int>, std::uint64_t> cells;
  const PlotBox& area = frame.area();
  const auto index = [](double along, double length) {
    const int last = std::max(0, static_cast<int>(length / kCellSize) - 1);
    return std::clamp(static_cast<int>(along / kCellSize), 0, last);
  };
  for (const CloudPoint& point : points_) {
    const PlotPoint at = frame.at(point.x, point.y);
    ++cells[{index(at.x - area.left, area.width), index(at.y - area.top, area.height)}];
  }
  drawing.begin("cells");
  for (const auto& [cell, features] : cells) {
    drawing.cell({area.left + cell.first * kCellSize, area.top + cell.second * kCellSize, kCellSize, kCellSize},
                 shade(amount_of(features)));
  }
  drawing.end();
}

}  // namespace saetap

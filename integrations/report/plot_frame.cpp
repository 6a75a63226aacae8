#include "integrations/report/plot_frame.h"

#include <algorithm>

#include "integrations/report/plot_style.h"

namespace saetap {
namespace {

constexpr double kTickLength = 1.2;
constexpr double kShortTick = 0.7;
const Stroke kAxisStroke{.color = "#000000", .width = 0.2};
const Stroke kGridStroke{.color = kGridColor, .width = 0.15};

}  // namespace

void PlotFrame::draw_grid(SvgDrawing& drawing) const {
  drawing.begin("grid");
  for (const Tick& tick : x_.scale.ticks(x_.text)) {
    const double x = at(tick.value, y_.scale.lowest()).x;
    if (!tick.label.empty()) drawing.line({x, area_.top}, {x, area_.bottom()}, kGridStroke);
  }
  for (const Tick& tick : y_.scale.ticks(y_.text)) {
    const double y = at(x_.scale.lowest(), tick.value).y;
    if (!tick.label.empty()) drawing.line({area_.left, y}, {area_.right(), y}, kGridStroke);
  }
  drawing.end();
}

void PlotFrame::draw_axes(SvgDrawing& drawing) const {
  drawing.rectangle(area_, "none", kAxisStroke);
  draw_x_axis(drawing);
  draw_y_axis(drawing);
}

void PlotFrame::draw_x_axis(SvgDrawing& drawing) const {
  constexpr double kBetween = 1.5;  // of two labels
  drawing.begin("x-axis");
  double free_from = area_.left - PlotFrame::kLeftRoom;
  for (const Tick& tick : x_.scale.ticks(x_.text)) {
    const double x = at(tick.value, y_.scale.lowest()).x;
    const double length = tick.label.empty() ? kShortTick : kTickLength;
    drawing.line({x, area_.bottom()}, {x, area_.bottom() + length}, kAxisStroke);
    const double half = text_width(tick.label, kSmallTextSize) / 2;
    if (tick.label.empty() || x - half < free_from) continue;
    drawing.text({x, area_.bottom() + 4}, tick.label, {.size = kSmallTextSize, .anchor = TextStyle::Anchor::middle});
    free_from = x + half + kBetween;
  }
  drawing.end();
  if (x_.label.empty()) return;  // the frame below has it
  drawing.text({area_.left + area_.width / 2, area_.bottom() + 9}, x_.label,
               {.size = kTextSize, .anchor = TextStyle::Anchor::middle});
}

void PlotFrame::draw_y_axis(SvgDrawing& drawing) const {
  drawing.begin("y-axis");
  for (const Tick& tick : y_.scale.ticks(y_.text)) {
    const double y = at(x_.scale.lowest(), tick.value).y;
    const double length = tick.label.empty() ? kShortTick : kTickLength;
    drawing.line({area_.left - length, y}, {area_.left, y}, kAxisStroke);
    if (tick.label.empty()) continue;
    drawing.text({area_.left - 2, y + kSmallTextSize * 0.35}, tick.label,
                 {.size = kSmallTextSize, .anchor = TextStyle::Anchor::end});
  }
  drawing.end();
  drawing.text({area_.left - kLeftRoom + kTextSize + 0.5, area_.top + area_.height / 2}, y_.label,
               {.size = kTextSize, .anchor = TextStyle::Anchor::middle, .upright = true});
}

void PlotFrame::draw_mark_line(SvgDrawing& drawing, double value, const std::string& note, std::string_view dash,
                               double below_top) const {
  const double x = at(value, y_.scale.lowest()).x;
  const bool left = x + text_width(note, kSmallTextSize) + 1 > area_.right();
  drawing.line({x, area_.top}, {x, area_.bottom()}, {.color = "#000000", .width = 0.2, .dash = dash});
  drawing.text({left ? x - 1 : x + 1, area_.top + below_top}, note,
               {.size = kSmallTextSize, .anchor = left ? TextStyle::Anchor::end : TextStyle::Anchor::start});
}

void draw_bar(SvgDrawing& drawing, const PlotFrame& frame, double from, double to, double height) {
  constexpr double kBetween = 0.3;
  const PlotPoint corner = frame.at(from, height), base = frame.at(to, 0);
  const double width = std::max(base.x - corner.x - kBetween, 0.1);
  drawing.cell({corner.x, corner.y, width, base.y - corner.y}, kBarColor);
}

}  // namespace saetap

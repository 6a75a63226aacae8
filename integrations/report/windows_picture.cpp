#include <algorithm>
#include <cmath>

#include "integrations/analysis/confidence.h"
#include "integrations/analysis/window_series.h"
#include "integrations/report/picture_words.h"
#include "integrations/report/pictures.h"
#include "integrations/report/plot_frame.h"
#include "integrations/report/plot_page.h"

namespace saetap {
namespace {

struct FeatureSeries {
  std::uint32_t feature = 0;
  std::vector<FeatureInWindow> windows;
};

double density_of(const FeatureInWindow& one) {
  return one.statistics.density(one.window.eligible);
}
// Nothing where no token was counted.
Interval likely_density_of(const FeatureInWindow& one) {
  return share_interval(one.statistics.active, one.window.eligible).value_or(Interval{0, 0});
}
double size_of(const FeatureInWindow& one) {
  return std::abs(double{one.statistics.max});
}
Interval size_alone(const FeatureInWindow& one) {
  return {size_of(one), size_of(one)};
}
double middle_of(const StoredWindow& window) {
  return (static_cast<double>(window.first_step) + static_cast<double>(window.last_step)) / 2;
}

std::string kind_of(const StoredWindow& window) {
  if (!window.part) return "history";
  return *window.part == PartKind::closed ? "closed" : "open";
}

PointTable table_of(const std::vector<FeatureSeries>& all) {
  PointTable table{.columns = {{"feature", ""},
                               {"window", ""},
                               {"kind", ""},
                               {"first_step", "step"},
                               {"last_step", "step"},
                               {"tokens", "tokens"},
                               {"active_tokens", "tokens"},
                               {"density", "share of tokens"},
                               {"density_low", "share of tokens"},
                               {"density_high", "share of tokens"},
                               {"max", "activation"}},
                   .rows = {}};
  for (const FeatureSeries& series : all) {
    for (const FeatureInWindow& one : series.windows) {
      const StoredWindow& window = one.window;
      const Interval likely = likely_density_of(one);
      table.rows.push_back({std::uint64_t{series.feature}, window.window.number, kind_of(window), window.first_step,
                            window.last_step, window.eligible, one.statistics.active, density_of(one), likely.low,
                            likely.high, one.statistics.max});
    }
  }
  return table;
}

// One panel: a figure of every feature over the steps, and between which values it is likely to be.
template <typename Figure, typename Likely>
void draw_panel(SvgDrawing& drawing, const std::vector<FeatureSeries>& all, const PlotFrame& frame, Figure figure,
                Likely likely) {
  frame.draw_grid(drawing);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const SeriesStyle& style = series_style(i);
    std::vector<PlotPoint> line;
    for (const FeatureInWindow& one : all[i].windows) line.push_back(frame.at(middle_of(one.window), figure(one)));
    drawing.begin("series");
    drawing.polyline(line, style.stroke());
    for (const FeatureInWindow& one : all[i].windows) {
      const auto end = [&](std::uint64_t step) { return frame.at(static_cast<double>(step), figure(one)); };
      drawing.line(end(one.window.first_step), end(one.window.last_step), {.color = style.color, .width = 0.15});
      const auto [low, high] = likely(one);
      if (low == high) continue;
      const double middle = middle_of(one.window);
      drawing.line(frame.at(middle, low), frame.at(middle, high), {.color = style.color, .width = 0.25});
    }
    for (const PlotPoint& point : line) drawing.mark(style.shape, point, kMarkSize, style.color);
    drawing.end();
  }
  frame.draw_axes(drawing);
}

template <typename Figure>
double largest(const std::vector<FeatureSeries>& all, Figure figure) {
  double most = 0;
  for (const FeatureSeries& series : all) {
    for (const FeatureInWindow& one : series.windows) most = std::max(most, figure(one));
  }
  return most;
}

std::vector<FeatureSeries> read_series(const PictureRequest& request, std::span<const std::uint32_t> features) {
  StoredWindows windows(request.store.path());
  std::vector<FeatureSeries> all;
  for (const std::uint32_t feature : features) {
    all.push_back({feature, window_series(windows, request.site.site.id, feature)});
  }
  if (windows.changed()) {
    throw StoreError(request.store.path() + ": was saved while it was read; try again, or read a copy");
  }
  return all;
}

PlotWords words_of(const std::vector<FeatureSeries>& all, const PictureRequest& request) {
  PlotWords words;
  words.title = all.size() == 1 ? "Feature " + std::to_string(all.front().feature) + " over the run"
                                : counted(all.size(), "feature") + " over the run";
  words.caption = "A mark in the middle of the steps of each window, a thin line along them: " +
                  counted(all.front().windows.size(), "window") +
                  ", the last of which may still be open. Upright lines: " + kIntervalNote +
                  ". n of each window (tokens) is in the table beside. " + whole_run_text(request);
  for (std::size_t i = 0; i < all.size() && all.size() > 1; ++i) {
    words.legend.push_back({.text = "feature " + std::to_string(all[i].feature), .style = series_style(i)});
  }
  return words;
}

}  // namespace

Picture windows_picture(const PictureRequest& request, std::span<const std::uint32_t> features) {
  constexpr double kPanel = 42, kBetween = 7;
  const std::vector<FeatureSeries> all = read_series(request, features);
  if (largest(all, size_of) == 0) throw NothingToDraw("no window to draw: never active in the run");
  double first = INFINITY, last = 0;
  for (const FeatureInWindow& one : all.front().windows) {
    first = std::min(first, static_cast<double>(one.window.first_step));
    last = std::max(last, static_cast<double>(one.window.last_step));
  }
  PlotPage page(words_of(all, request), {.height = 2 * kPanel + kBetween});
  const PlotBox area = page.area();
  const PlotScale steps = PlotScale::linear(first, last);
  const PlotFrame upper({area.left, area.top, area.width, kPanel}, {"", steps, TickText::count},
                        {"largest activation", PlotScale::linear(0, largest(all, size_of))});
  const PlotFrame lower(
      {area.left, area.top + kPanel + kBetween, area.width, kPanel}, {"step of the run", steps, TickText::count},
      {"density (% of tokens)",
       PlotScale::linear(0, largest(all, [](const auto& one) { return likely_density_of(one).high; })),
       TickText::percent});
  draw_panel(page.drawing(), all, upper, size_of, size_alone);
  draw_panel(page.drawing(), all, lower, density_of, likely_density_of);
  return {page.finished(), table_of(all), counted(all.front().windows.size(), "window")};
}

}  // namespace saetap

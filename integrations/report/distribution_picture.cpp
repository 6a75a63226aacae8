#include <algorithm>
#include <cmath>

#include "integrations/analysis/activation_distribution.h"
#include "integrations/report/picture_words.h"
#include "integrations/report/pictures.h"
#include "integrations/report/plot_frame.h"
#include "integrations/report/plot_page.h"
#include "plugin/number_text.h"

namespace saetap {
namespace {

constexpr const char* kMagnitude = "size of the activation (as in the run, log scale)";

struct FeatureBins {
  std::uint32_t feature = 0;
  ActivationHistogram histogram;
  std::vector<MagnitudeBin> bins;

  [[nodiscard]] double share(const MagnitudeBin& bin) const { return share_of(bin.count, histogram.total()); }
};

// Those that were active.
std::vector<FeatureBins> read_bins(const PictureRequest& request, std::span<const std::uint32_t> features) {
  std::vector<FeatureBins> all;
  for (const std::uint32_t feature : features) {
    FeatureBins read{feature, request.store.histogram(request.site.site.id, feature, request.scope), {}};
    read.bins = magnitude_bins(read.histogram);
    if (!read.bins.empty()) all.push_back(std::move(read));
  }
  return all;
}

PointTable table_of(const std::vector<FeatureBins>& features) {
  PointTable table{.columns = {{"feature", ""},
                               {"from", "activation"},
                               {"to", "activation"},
                               {"tokens", "tokens"},
                               {"share", "share of the feature's active values"}},
                   .rows = {}};
  for (const FeatureBins& feature : features) {
    for (const MagnitudeBin& bin : feature.bins) {
      table.rows.push_back({std::uint64_t{feature.feature}, bin.from, bin.to, bin.count, feature.share(bin)});
    }
  }
  return table;
}

PlotFrame frame_of(const std::vector<FeatureBins>& features, const PlotBox& area) {
  double lowest = features.front().bins.front().from, highest = 0, share = 0;
  for (const FeatureBins& feature : features) {
    lowest = std::min(lowest, feature.bins.front().from);
    highest = std::max(highest, feature.bins.back().to);
    for (const MagnitudeBin& bin : feature.bins) share = std::max(share, feature.share(bin));
  }
  return {area,
          {kMagnitude, PlotScale::logarithmic(lowest, highest)},
          {"share of its active values, by bin", PlotScale::linear(0, share), TickText::percent}};
}

std::vector<PlotPoint> steps_of(const FeatureBins& feature, const PlotFrame& frame) {
  std::vector<PlotPoint> steps{frame.at(feature.bins.front().from, 0)};
  for (const MagnitudeBin& bin : feature.bins) {
    steps.push_back(frame.at(bin.from, feature.share(bin)));
    steps.push_back(frame.at(bin.to, feature.share(bin)));
  }
  steps.push_back(frame.at(feature.bins.back().to, 0));
  return steps;
}

void draw_series(SvgDrawing& drawing, const FeatureBins& feature, const PlotFrame& frame, const SeriesStyle& style) {
  drawing.begin("series");
  drawing.polyline(steps_of(feature, frame), style.stroke());
  for (const MagnitudeBin& bin : feature.bins) {
    const double middle = std::sqrt(bin.from) * std::sqrt(bin.to);
    drawing.mark(style.shape, frame.at(middle, feature.share(bin)), kMarkSize, style.color);
  }
  drawing.end();
}

PlotWords words_of(const std::vector<FeatureBins>& features, const PictureRequest& request, std::size_t silent) {
  PlotWords words;
  words.title = features.size() == 1 ? "Feature " + std::to_string(features.front().feature) + ": its active values"
                                     : "Active values of " + counted(features.size(), "feature");
  words.caption = "Each bin is a quarter of an octave wide (a factor of 1.19). ";
  if (features.size() == 1) {
    words.caption += "n = " + counted(features.front().histogram.total(), "active value") + ". ";
  }
  if (silent > 0) words.caption += counted(silent, "feature") + " asked for never active here. ";
  words.caption += source_text(request);
  for (std::size_t i = 0; i < features.size(); ++i) {
    words.legend.push_back(
        {.text = std::to_string(features[i].feature) + " (n = " + count_text(features[i].histogram.total()) + ")",
         .style = series_style(i)});
  }
  if (features.size() == 1) words.legend.clear();
  return words;
}

// The fill of one feature alone, and its quantiles, which several would hide of each other.
void draw_alone(SvgDrawing& drawing, const FeatureBins& feature, const PlotFrame& frame) {
  drawing.area(steps_of(feature, frame), kFillColor);
  const double median = feature.histogram.quantile(0.5);
  frame.draw_mark_line(drawing, median, "median " + activation_text(median) + " (±9 %)", "2 1", 4);
}

}  // namespace

Picture distribution_picture(const PictureRequest& request, std::span<const std::uint32_t> features) {
  const std::vector<FeatureBins> read = read_bins(request, features);
  if (read.empty()) throw NothingToDraw("no value to draw: never active in the steps that were read");
  PlotPage page(words_of(read, request, features.size() - read.size()), {});
  SvgDrawing& drawing = page.drawing();
  const PlotFrame frame = frame_of(read, page.area());
  frame.draw_grid(drawing);
  if (read.size() == 1) draw_alone(drawing, read.front(), frame);
  for (std::size_t i = 0; i < read.size(); ++i) draw_series(drawing, read[i], frame, series_style(i));
  frame.draw_axes(drawing);
  return {page.finished(), table_of(read), counted(read.size(), "feature")};
}

}  // namespace saetap

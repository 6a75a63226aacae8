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

constexpr double kShareLeftOut = 0.01;

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

// Where the picture begins. A few values that are next to nothing would take half of a logarithmic axis.
double lowest_drawn(const FeatureBins& feature) {
  std::uint64_t below = 0;
  for (const MagnitudeBin& bin : feature.bins) {
    below += bin.count;
    if (share_of(below, feature.histogram.total()) > kShareLeftOut) return bin.from;
  }
  return feature.bins.back().from;
}

PlotFrame frame_of(const std::vector<FeatureBins>& features, double lowest, const PlotBox& area) {
  double highest = 0, share = 0;
  for (const FeatureBins& feature : features) {
    highest = std::max(highest, feature.bins.back().to);
    for (const MagnitudeBin& bin : feature.bins) share = std::max(share, feature.share(bin));
  }
  return {area,
          {kMagnitudeLabel, PlotScale::logarithmic(lowest, highest)},
          {"share of its active values, by bin", PlotScale::linear(0, share), TickText::percent}};
}

void draw_series(SvgDrawing& drawing, const FeatureBins& feature, const PlotFrame& frame, const SeriesStyle& style) {
  std::vector<PlotPoint> line;
  for (const MagnitudeBin& bin : feature.bins) {
    line.push_back(frame.at(std::sqrt(bin.from) * std::sqrt(bin.to), feature.share(bin)));
  }
  drawing.begin("series");
  drawing.polyline(line, style.stroke());
  for (const PlotPoint& point : line) drawing.mark(style.shape, point, kMarkSize, style.color);
  drawing.end();
}

// One feature alone has bars, and its median, which several would hide of each other.
void draw_alone(SvgDrawing& drawing, const FeatureBins& feature, const PlotFrame& frame) {
  drawing.begin("bars");
  for (const MagnitudeBin& bin : feature.bins) {
    if (bin.count > 0) draw_bar(drawing, frame, bin.from, bin.to, feature.share(bin));
  }
  drawing.end();
  const double median = feature.histogram.quantile(0.5);
  frame.draw_mark_line(drawing, median, "median " + activation_text(median) + " (±9 %)", "2 1", 4);
}

PlotWords words_of(const std::vector<FeatureBins>& features, const PictureRequest& request, std::size_t silent,
                   bool cut) {
  PlotWords words;
  words.title = features.size() == 1 ? "Feature " + std::to_string(features.front().feature) + ": its active values"
                                     : "Active values of " + counted(features.size(), "feature");
  words.caption = "Each bin is a quarter of an octave wide (a factor of 1.19). ";
  if (features.size() == 1) {
    words.caption += "n = " + counted(features.front().histogram.total(), "active value") + ". ";
  }
  if (cut) words.caption += "Smaller values, which are at most 1 % of each feature's, are in the table alone. ";
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

}  // namespace

Picture distribution_picture(const PictureRequest& request, std::span<const std::uint32_t> features) {
  need_histograms(request);
  const std::vector<FeatureBins> read = read_bins(request, features);
  if (read.empty()) throw NothingToDraw("no value to draw: never active in the steps that were read");
  std::vector<FeatureBins> drawn = read;
  double lowest = INFINITY;
  for (const FeatureBins& feature : read) lowest = std::min(lowest, lowest_drawn(feature));
  bool cut = false;
  for (FeatureBins& feature : drawn) {
    cut = std::erase_if(feature.bins, [&](const MagnitudeBin& bin) { return bin.from < lowest; }) > 0 || cut;
  }
  PlotPage page(words_of(read, request, features.size() - read.size(), cut), {});
  SvgDrawing& drawing = page.drawing();
  const PlotFrame frame = frame_of(drawn, lowest, page.area());
  frame.draw_grid(drawing);
  if (drawn.size() == 1) {
    draw_alone(drawing, drawn.front(), frame);
  } else {
    for (std::size_t i = 0; i < drawn.size(); ++i) draw_series(drawing, drawn[i], frame, series_style(i));
  }
  frame.draw_axes(drawing);
  return {page.finished(), table_of(read), counted(read.size(), "feature")};
}

}  // namespace saetap

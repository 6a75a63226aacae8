#include <algorithm>

#include "integrations/analysis/activation_distribution.h"
#include "integrations/report/picture_words.h"
#include "integrations/report/pictures.h"
#include "integrations/report/plot_frame.h"
#include "integrations/report/plot_page.h"

namespace saetap {
namespace {

constexpr std::size_t kMedian = 2;  // in kBandShares

std::vector<ActivationHistogram> read_histograms(const PictureRequest& request) {
  const int site = request.site.site.id;
  const std::vector<FeatureStatistics> statistics = request.store.statistics(site, request.scope);
  std::vector<ActivationHistogram> histograms;
  for (std::size_t feature = 0; feature < statistics.size(); ++feature) {
    if (statistics[feature].active > 0) {
      auto histogram = request.store.histogram(site, static_cast<std::uint32_t>(feature), request.scope);
      if (histogram.total() > 0) histograms.push_back(std::move(histogram));
    }
    if (request.progress) request.progress(feature + 1);
  }
  return histograms;
}

// Where the picture begins: nearly all values of nearly all features are larger, and what is smaller would take half of
// a logarithmic axis.
std::vector<MagnitudeBand> drawn_bands(std::vector<MagnitudeBand> bands) {
  constexpr double kNearlyAll = 0.99;
  const auto is_above = [](const MagnitudeBand& band) {
    return band.over_features.front() < kNearlyAll || band.pooled < kNearlyAll;
  };
  auto first = std::find_if(bands.begin(), bands.end(), is_above);
  if (first != bands.begin()) --first;
  bands.erase(bands.begin(), first);
  return bands;
}

PointTable table_of(const std::vector<MagnitudeBand>& bands) {
  PointTable table{.columns = {{"at_least", "activation"}}, .rows = {}};
  for (const char* name : {"p5", "p25", "median", "p75", "p95"}) {
    table.columns.push_back({name, "share of a feature's active values, over features"});
  }
  table.columns.push_back({"pooled", "share of all active values"});
  for (const MagnitudeBand& band : bands) {
    auto& row = table.rows.emplace_back(std::vector<PointCell>{band.from});
    for (const double share : band.over_features) row.emplace_back(share);
    row.emplace_back(band.pooled);
  }
  return table;
}

template <typename ShareOf>
std::vector<PlotPoint> line_of(const std::vector<MagnitudeBand>& bands, const PlotFrame& frame, ShareOf share) {
  std::vector<PlotPoint> line;
  for (const MagnitudeBand& band : bands) line.push_back(frame.at(band.from, share(band)));
  return line;
}

void draw_band(SvgDrawing& drawing, const std::vector<MagnitudeBand>& bands, const PlotFrame& frame, std::size_t low,
               std::size_t high, std::string_view color) {
  auto outline = line_of(bands, frame, [&](const auto& band) { return band.over_features[low]; });
  const auto back = line_of(bands, frame, [&](const auto& band) { return band.over_features[high]; });
  outline.insert(outline.end(), back.rbegin(), back.rend());
  drawing.area(outline, color);
}

std::vector<LegendEntry> legend() {
  using enum LegendEntry::Sample;
  return {{.text = "median feature", .sample = line, .style = series_style(0)},
          {.text = "half of the features", .sample = box, .fill = std::string(kFillColor)},
          {.text = "nine in ten features", .sample = box, .fill = std::string(kPaleColor)},
          {.text = "all values together", .sample = line, .style = series_style(1)}};
}

}  // namespace

Picture site_distribution_picture(const PictureRequest& request) {
  need_histograms(request);
  const std::vector<ActivationHistogram> histograms = read_histograms(request);
  if (histograms.empty()) throw NothingToDraw("no value to draw: no feature was active in the steps that were read");
  std::uint64_t values = 0;
  for (const ActivationHistogram& histogram : histograms) values += histogram.total();
  const std::vector<MagnitudeBand> all = magnitude_bands(histograms), bands = drawn_bands(all);
  const auto features = static_cast<std::uint64_t>(request.site.site.features);
  PlotPage page(
      {.title = "How large active values are",
       .caption = "Of each feature, the share of its active values that are at least so large; every feature "
                  "counts the same, however often it was active. " +
                  std::string(bands.size() < all.size() ? "Smaller magnitudes are in the table alone. " : "") +
                  "n = " + counted(histograms.size(), "feature") + " with " + counted(values, "active value") + "; " +
                  counted(features - histograms.size(), "feature") + " never active. " + source_text(request),
       .legend = legend()},
      {});
  SvgDrawing& drawing = page.drawing();
  const PlotFrame frame(page.area(), {kMagnitudeLabel, PlotScale::logarithmic(bands.front().from, bands.back().from)},
                        {"share of active values at least so large", PlotScale::linear(0, 1), TickText::percent});
  draw_band(drawing, bands, frame, 0, kBandShares.size() - 1, kPaleColor);
  draw_band(drawing, bands, frame, 1, kBandShares.size() - 2, kFillColor);
  frame.draw_grid(drawing);
  drawing.begin("series");
  drawing.polyline(line_of(bands, frame, [](const auto& band) { return band.pooled; }), series_style(1).stroke());
  drawing.polyline(line_of(bands, frame, [](const auto& band) { return band.over_features[kMedian]; }),
                   series_style(0).stroke());
  drawing.end();
  frame.draw_axes(drawing);
  return {page.finished(), table_of(all), counted(histograms.size(), "feature")};
}

}  // namespace saetap

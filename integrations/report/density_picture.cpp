#include <algorithm>

#include "integrations/analysis/density_histogram.h"
#include "integrations/analysis/ranking.h"
#include "integrations/report/picture_words.h"
#include "integrations/report/pictures.h"
#include "integrations/report/plot_frame.h"
#include "integrations/report/plot_page.h"
#include "plugin/number_text.h"

namespace saetap {
namespace {

// The dead ones are a row from 0 to 0; of an imported store it is not known which are.
PointTable table_of(const std::vector<DensityBin>& bins, std::uint64_t dead, bool imported) {
  PointTable table{.columns = {{"from", "share of tokens"}, {"to", "share of tokens"}, {"features", "features"}},
                   .rows = {}};
  if (!imported) table.rows.push_back({0.0, 0.0, dead});
  for (const DensityBin& bin : bins) table.rows.push_back({bin.from, bin.to, bin.features});
  return table;
}

void draw_bars(SvgDrawing& drawing, const std::vector<DensityBin>& bins, const PlotFrame& frame) {
  drawing.begin("bars");
  for (const DensityBin& bin : bins) {
    if (bin.features > 0) draw_bar(drawing, frame, bin.from, bin.to, static_cast<double>(bin.features));
  }
  drawing.end();
}

std::string caption_of(const SiteSummary& summary, const PictureRequest& request) {
  if (request.store.run().imported) {
    return "Five bins to a decade. n = " + counted(summary.alive, "feature") + " that the imported store has, of " +
           count_text(static_cast<std::uint64_t>(request.site.site.features)) + "; " + count_text(summary.dense) +
           " above 10 %. " + source_text(request);
  }
  return "Five bins to a decade. n = " + counted(summary.alive, "feature") + " that were active; " +
         counted(summary.dead, "dead feature") + " of " +
         count_text(static_cast<std::uint64_t>(request.site.site.features)) + " (density 0) not drawn; " +
         count_text(summary.dense) + " above 10 %. L0: " + activation_text(summary.mean_active) +
         " features active per token. " + source_text(request);
}

}  // namespace

Picture density_picture(const PictureRequest& request) {
  const auto statistics = request.store.statistics(request.site.site.id, request.scope);
  const std::vector<DensityBin> bins = density_bins(statistics, request.facts().eligible);
  if (bins.empty()) throw NothingToDraw("no density to draw: no feature was active in the steps that were read");
  const SiteSummary summary = summarize(statistics, request.facts().eligible);
  std::uint64_t most = 0;
  for (const DensityBin& bin : bins) most = std::max(most, bin.features);
  PlotPage page({.title = "How often features are active", .caption = caption_of(summary, request)}, {});
  SvgDrawing& drawing = page.drawing();
  const PlotFrame frame(
      page.area(),
      {"density: share of tokens on which a feature is active (log scale)",
       PlotScale::logarithmic(bins.front().from, bins.back().to), TickText::percent},
      {"features in the bin", PlotScale::linear(0, static_cast<double>(most) * 1.1), TickText::count});
  frame.draw_grid(drawing);
  draw_bars(drawing, bins, frame);
  frame.draw_mark_line(drawing, summary.density_median, "median " + percent_text(summary.density_median), "2 1", 4);
  frame.draw_axes(drawing);
  return {page.finished(), table_of(bins, summary.dead, request.store.run().imported.has_value()),
          counted(summary.alive, "active feature")};
}

}  // namespace saetap

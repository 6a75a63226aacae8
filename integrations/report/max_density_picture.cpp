#include <algorithm>
#include <cmath>

#include "integrations/analysis/ranking.h"
#include "integrations/report/picture_words.h"
#include "integrations/report/pictures.h"
#include "integrations/report/plot_frame.h"
#include "integrations/report/plot_page.h"
#include "integrations/report/point_cloud.h"
#include "plugin/number_text.h"

namespace saetap {
namespace {

PointTable table_of(const std::vector<RankedFeature>& features) {
  PointTable table{
      .columns = {{"feature", ""}, {"density", "share of tokens"}, {"max", "activation"}, {"active_tokens", "tokens"}},
      .rows = {}};
  for (const RankedFeature& ranked : features) {
    table.rows.push_back(
        {std::uint64_t{ranked.feature}, ranked.density, ranked.statistics.max, ranked.statistics.active});
  }
  return table;
}

std::vector<RankedFeature> read_features(const PictureRequest& request) {
  const auto statistics = request.store.statistics(request.site.site.id, request.scope);
  auto features = rank_features(statistics, request.facts().eligible, RankBy::density, statistics.size());
  // What is not on a logarithmic axis: of a store that counted no tokens, or a feature whose values are all tiny.
  std::erase_if(features, [](const auto& ranked) { return ranked.density <= 0 || ranked.statistics.max == 0; });
  std::ranges::sort(features, {}, &RankedFeature::feature);
  return features;
}

}  // namespace

Picture max_density_picture(const PictureRequest& request) {
  const std::vector<RankedFeature> features = read_features(request);
  if (features.empty()) throw NothingToDraw("no feature to draw: none was active in the steps that were read");
  std::vector<CloudPoint> points;
  double lowest = INFINITY, highest = 0, rarest = 1, densest = 0;
  for (const RankedFeature& ranked : features) {
    const double size = std::abs(double{ranked.statistics.max});
    lowest = std::min(lowest, size);
    highest = std::max(highest, size);
    rarest = std::min(rarest, ranked.density);
    densest = std::max(densest, ranked.density);
    points.push_back({ranked.density, size, 0});
  }
  const PointCloud cloud(std::move(points), {{"", {"#0072b2", "", MarkShape::ring}, 0.9}});
  const auto all = static_cast<std::uint64_t>(request.site.site.features);
  PlotPage page({.title = "Largest activation against density",
                 .caption = cloud.rule() + "n = " + counted(features.size(), "feature") + " that were active; " +
                            count_text(all - features.size()) + " of " + count_text(all) + " not drawn (" +
                            (request.store.run().imported ? "not in the imported store" : "never active") + "). " +
                            source_text(request),
                 .legend = cloud.legend()},
                {});
  SvgDrawing& drawing = page.drawing();
  const PlotFrame frame(page.area(),
                        {"density: share of tokens on which the feature is active (log scale)",
                         PlotScale::logarithmic(rarest, densest), TickText::percent},
                        {"largest activation (log scale)", PlotScale::logarithmic(lowest, highest)});
  frame.draw_grid(drawing);
  cloud.draw(drawing, frame);
  frame.draw_axes(drawing);
  return {page.finished(), table_of(features), counted(features.size(), "feature")};
}

}  // namespace saetap

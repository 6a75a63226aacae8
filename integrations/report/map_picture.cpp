#include <algorithm>
#include <array>
#include <cmath>

#include "integrations/report/map_picture.h"
#include "integrations/report/picture_words.h"
#include "integrations/report/plot_frame.h"
#include "integrations/report/plot_page.h"
#include "integrations/report/point_cloud.h"
#include "plugin/number_text.h"

namespace saetap {
namespace {

// From which density on a feature has which mark; the denser ones are drawn above the others.
struct DensityKind {
  double from;
  CloudKind kind;
};

std::vector<DensityKind> density_kinds() {
  return {{0, {"below 0.1 %", {"#56b4e9", "", MarkShape::ring}, 0.9}},
          {0.001, {"0.1 to 1 %", {"#0072b2", "", MarkShape::dot}, 1}},
          {0.01, {"1 to 10 %", {"#d55e00", "", MarkShape::triangle}, 1.4}},
          {0.1, {"10 % and more", {"#000000", "", MarkShape::square}, 1.5}}};
}

std::vector<CloudKind> kinds_of(const std::vector<DensityKind>& densities) {
  std::vector<CloudKind> kinds;
  for (const DensityKind& one : densities) kinds.push_back(one.kind);
  return kinds;
}

std::size_t kind_of(double density, const std::vector<DensityKind>& kinds) {
  std::size_t kind = 0;
  while (kind + 1 < kinds.size() && density >= kinds[kind + 1].from) ++kind;
  return kind;
}

struct MappedFeature {
  MapPoint at;
  FeatureStatistics statistics;
  double density = 0;
};

// A map that another program made may have places that are no numbers.
std::vector<MappedFeature> features_of(const PictureRequest& request, const FeatureMap& map) {
  const auto statistics = request.store.statistics(request.site.site.id, request.scope);
  std::vector<MappedFeature> features;
  for (const MapPoint& point : map.points) {
    if (!std::isfinite(point.x) || !std::isfinite(point.y) || point.feature >= statistics.size()) continue;
    const FeatureStatistics& own = statistics[point.feature];
    features.push_back({point, own, own.density(request.facts().eligible)});
  }
  return features;
}

PointTable table_of(const std::vector<MappedFeature>& features) {
  PointTable table{.columns = {{"feature", ""},
                               {"x", ""},
                               {"y", ""},
                               {"density", "share of tokens"},
                               {"max", "activation"},
                               {"active_tokens", "tokens"}},
                   .rows = {}};
  for (const MappedFeature& one : features) {
    table.rows.push_back(
        {std::uint64_t{one.at.feature}, one.at.x, one.at.y, one.density, one.statistics.max, one.statistics.active});
  }
  return table;
}

std::string axis_label(const MapNames& names, const std::string& axis, double share) {
  return names.axes + " " + axis + (share > 0 ? " (" + percent_text(share) + " of the variance)" : "");
}

// Of the same scale in both directions: how far apart two features are does not depend on where.
PlotFrame frame_of(const std::vector<MappedFeature>& features, const FeatureMap& map, const MapNames& names,
                   const PlotBox& area) {
  const auto [left, right] = std::ranges::minmax(features, {}, [](const auto& one) { return one.at.x; });
  const auto [low, high] = std::ranges::minmax(features, {}, [](const auto& one) { return one.at.y; });
  const double middle_x = (left.at.x + right.at.x) / 2, middle_y = (low.at.y + high.at.y) / 2;
  const double wide = right.at.x - left.at.x, tall = high.at.y - low.at.y;
  const double per_mm = std::max(wide / area.width, tall / area.height) * 1.04;
  const double half_x = per_mm * area.width / 2, half_y = per_mm * area.height / 2;
  return {area,
          {axis_label(names, "1", map.x_share), PlotScale::exactly(middle_x - half_x, middle_x + half_x)},
          {axis_label(names, "2", map.y_share), PlotScale::exactly(middle_y - half_y, middle_y + half_y)}};
}

}  // namespace

Picture map_picture(const PictureRequest& request, const FeatureMap& map, const MapNames& names) {
  constexpr double kHeight = 90;
  const std::vector<MappedFeature> features = features_of(request, map);
  if (features.empty()) throw NothingToDraw("no map to draw: the store has too few decoder directions of the site");
  const auto densities = density_kinds();
  std::vector<CloudPoint> points;
  for (const MappedFeature& one : features) points.push_back({one.at.x, one.at.y, kind_of(one.density, densities)});
  const PointCloud cloud(std::move(points), kinds_of(densities));
  const auto all = static_cast<std::uint64_t>(request.site.site.features);
  PlotPage page({.title = "Map of the features by their decoder directions",
                 .caption = names.method + " " + cloud.rule() + (cloud.in_cells() ? "" : "Marks by density. ") +
                            "n = " + counted(features.size(), "feature") + " of " + count_text(all) +
                            " that were active and have a direction. " + source_text(request),
                 .legend = cloud.legend()},
                {.height = kHeight});
  SvgDrawing& drawing = page.drawing();
  const PlotFrame frame = frame_of(features, map, names, page.area());
  frame.draw_grid(drawing);
  cloud.draw(drawing, frame);
  frame.draw_axes(drawing);
  return {page.finished(), table_of(features), counted(features.size(), "feature")};
}

}  // namespace saetap

#include "integrations/analysis/similar_features.h"

#include <algorithm>

namespace saetap {
namespace {

constexpr std::size_t kBlock = 2048;  // features; a product of two blocks is 16 MB
constexpr std::size_t kLanes = 16;

// Whether any of the cosines reaches its own bar or the row's: most runs of them hold none, which is seen without a
// branch for each.
bool any_wanted(const float* cosines, float row_bar, const float* bars, std::size_t count) {
  int wanted = 0;
  for (std::size_t i = 0; i < count; ++i) wanted |= static_cast<int>(cosines[i] >= std::min(row_bar, bars[i]));
  return wanted != 0;
}

class BlockScan {
 public:
  BlockScan(const UnitDirections& directions, PairKeeper& keeper) : directions_(directions), keeper_(keeper) {}

  // The rows of one block with those of the same or a later one: cosines are the same both ways.
  void scan(std::size_t first, std::size_t second) {
    const std::size_t rows = std::min(kBlock, directions_.size() - first);
    const std::size_t columns = std::min(kBlock, directions_.size() - second);
    products_.resize(rows * columns);
    multiply_rows(directions_.rows(first, rows), directions_.rows(second, columns), products_.data());
    bars_.resize(columns);
    for (std::size_t row = 0; row < rows; ++row) {
      // A bar that has risen since lets a pair through that is not wanted any more, nothing else.
      if (row % 64 == 0) copy_bars(second, columns);
      const std::size_t from = first == second ? row + 1 : 0;
      scan_row(first + row, second, std::span(products_).subspan(row * columns, columns), from);
    }
  }

 private:
  void copy_bars(std::size_t second, std::size_t columns) {
    for (std::size_t j = 0; j < columns; ++j) bars_[j] = keeper_.bars()[directions_.features[second + j]];
  }

  void scan_row(std::size_t own, std::size_t second, std::span<const float> cosines, std::size_t from) {
    const std::uint32_t feature = directions_.features[own];
    for (std::size_t at = from; at < cosines.size(); at += kLanes) {
      const std::size_t count = std::min(kLanes, cosines.size() - at);
      const float bar = keeper_.bars()[feature];
      if (!any_wanted(cosines.data() + at, bar, bars_.data() + at, count)) continue;
      for (std::size_t j = at; j < at + count; ++j) {
        if (cosines[j] < std::min(bar, bars_[j])) continue;
        keeper_.offer({feature, directions_.features[second + j], std::clamp(cosines[j], -1.0f, 1.0f)});
      }
    }
  }

  const UnitDirections& directions_;
  PairKeeper& keeper_;
  std::vector<float> products_;
  std::vector<float> bars_;  // of the second block's features
};

}  // namespace

void find_similar_directions(const UnitDirections& directions, PairKeeper& keeper, const FeatureProgress& progress) {
  BlockScan blocks(directions, keeper);
  const double pairs = static_cast<double>(directions.size()) * static_cast<double>(directions.size());
  double done = 0;
  for (std::size_t first = 0; first < directions.size(); first += kBlock) {
    for (std::size_t second = first; second < directions.size(); second += kBlock) {
      blocks.scan(first, second);
      done += static_cast<double>(kBlock * kBlock) * (first == second ? 1 : 2);
      // Later rows have fewer blocks: what is done is told as a share of the features.
      if (progress)
        progress(static_cast<std::size_t>(std::min(1.0, done / pairs) * static_cast<double>(directions.size())));
    }
  }
}

std::vector<float> cosines_with(const UnitDirections& directions, std::uint32_t feature) {
  const auto own = std::lower_bound(directions.features.begin(), directions.features.end(), feature);
  if (own == directions.features.end() || *own != feature) return {};
  std::vector<float> cosines(directions.size());
  const auto at = static_cast<std::size_t>(own - directions.features.begin());
  multiply_rows_plainly(directions.rows(at, 1), directions.rows(0, directions.size()), cosines.data());
  for (float& cosine : cosines) cosine = std::clamp(cosine, -1.0f, 1.0f);
  return cosines;
}

std::vector<std::vector<Neighbor>> nearest_of_some(std::span<const float> directions, std::int64_t features,
                                                   std::span<const std::uint32_t> wanted, std::size_t top) {
  NearestKeeper keeper(static_cast<std::size_t>(features), top, -1);
  const UnitDirections unit = unit_directions({directions.begin(), directions.end()}, features);
  for (const std::uint32_t feature : wanted) {
    const std::vector<float> cosines = cosines_with(unit, feature);
    for (std::size_t at = 0; at < cosines.size(); ++at) {
      if (unit.features[at] != feature) keeper.add(feature, unit.features[at], cosines[at]);
    }
  }
  return keeper.take();
}

std::vector<std::vector<Neighbor>> nearest_of_all(std::span<const float> directions, std::int64_t features,
                                                  std::size_t top, const FeatureProgress& progress) {
  NearestKeeper keeper(static_cast<std::size_t>(features), top, -1);
  find_similar_directions(unit_directions({directions.begin(), directions.end()}, features), keeper, progress);
  return keeper.take();
}

}  // namespace saetap

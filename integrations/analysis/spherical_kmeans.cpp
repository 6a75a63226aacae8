#include "integrations/analysis/spherical_kmeans.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "integrations/analysis/random_numbers.h"

namespace saetap {
namespace {

constexpr std::size_t kBlock = 2048;  // directions multiplied at a time
constexpr std::size_t kMostPasses = 100;
constexpr double kEnoughGain = 1e-6;         // of the mean cosine, in a pass
constexpr std::size_t kFewestSeeded = 8192;  // directions that centres are chosen from
constexpr std::size_t kSeededPerCluster = 16;

// One start.
class Clusters {
 public:
  Clusters(const UnitDirections& directions, std::size_t clusters, RandomBits& bits)
      : directions_(directions), clusters_(clusters), bits_(bits), cosines_(directions.size()) {
    found_.cluster_of.resize(directions.size());
  }

  KMeans run() {
    choose_centres();
    double before = -2;
    for (std::size_t pass = 0; pass < kMostPasses; ++pass) {
      assign();
      if (found_.mean_cosine - before < kEnoughGain) break;
      before = found_.mean_cosine;
      move_centres();
    }
    fill_empty();
    return std::move(found_);
  }

 private:
  // Those that centres are chosen from, gathered.
  UnitDirections seeded() {
    const std::size_t count = std::min(directions_.size(), std::max(kFewestSeeded, kSeededPerCluster * clusters_));
    if (count == directions_.size()) return directions_;
    std::vector<std::uint32_t> order(directions_.size());
    std::iota(order.begin(), order.end(), 0u);
    UnitDirections chosen{.features = {}, .values = {}, .width = directions_.width};
    for (std::size_t i = 0; i < count; ++i) {
      std::swap(order[i], order[i + random_index(bits_, order.size() - i)]);
      chosen.features.push_back(order[i]);
      chosen.values.insert(chosen.values.end(), directions_.row(order[i]), directions_.row(order[i]) + chosen.width);
    }
    return chosen;
  }

  // k-means++: each centre is a direction chosen with a probability that is its distance from the centres before, of a
  // few candidates the one that leaves the least distance. (Of unit vectors 1 - cosine is half the distance squared.)
  void choose_centres() {
    const UnitDirections from = seeded();
    const std::size_t candidates = 2 + static_cast<std::size_t>(std::log(static_cast<double>(clusters_)));
    std::vector<float> far(from.size(), 2);  // from the nearest centre
    found_.centres.clear();
    for (std::size_t centre = 0; centre < clusters_; ++centre) {
      const std::vector<std::size_t> drawn = draw(far, centre == 0 ? 1 : candidates);
      std::vector<float> values, products(drawn.size() * from.size());
      for (const std::size_t row : drawn) values.insert(values.end(), from.row(row), from.row(row) + from.width);
      multiply_rows({values.data(), drawn.size(), from.width}, from.rows(0, from.size()), products.data());
      const std::size_t best = least_left(far, products);
      for (std::size_t i = 0; i < from.size(); ++i) {
        far[i] = std::min(far[i], std::max(0.0f, 1 - products[best * from.size() + i]));
      }
      const auto begin = values.begin() + static_cast<std::ptrdiff_t>(best * from.width);
      found_.centres.insert(found_.centres.end(), begin, begin + static_cast<std::ptrdiff_t>(from.width));
    }
  }

  std::vector<std::size_t> draw(std::span<const float> far, std::size_t count) {
    const WeightedChoice choice(far);
    std::vector<std::size_t> drawn;
    for (std::size_t i = 0; i < count; ++i) drawn.push_back(choice.draw(bits_));
    return drawn;
  }

  static std::size_t least_left(std::span<const float> far, std::span<const float> products) {
    std::size_t best = 0;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t candidate = 0; candidate * far.size() < products.size(); ++candidate) {
      double left = 0;
      for (std::size_t i = 0; i < far.size(); ++i) {
        left += static_cast<double>(std::min(far[i], 1 - products[candidate * far.size() + i]));
      }
      if (left < least) best = candidate;
      least = std::min(least, left);
    }
    return best;
  }

  // Each direction to its nearest centre.
  void assign() {
    double sum = 0;
    for (std::size_t first = 0; first < directions_.size(); first += kBlock) {
      const std::size_t count = std::min(kBlock, directions_.size() - first);
      products_.resize(count * clusters_);
      multiply_rows(directions_.rows(first, count), {found_.centres.data(), clusters_, directions_.width},
                    products_.data());
      for (std::size_t i = 0; i < count; ++i) {
        const auto own = std::span(products_).subspan(i * clusters_, clusters_);
        const auto best = std::max_element(own.begin(), own.end());
        found_.cluster_of[first + i] = static_cast<std::uint32_t>(best - own.begin());
        cosines_[first + i] = *best;
        sum += static_cast<double>(*best);
      }
    }
    found_.mean_cosine = sum / static_cast<double>(directions_.size());
  }

  // Each centre to the mean direction of its cluster; an empty cluster's, or one of directions that cancel each other,
  // to the direction that is farthest from its own.
  void move_centres() {
    const std::size_t width = directions_.width;
    std::vector<double> sums(clusters_ * width);
    for (std::size_t row = 0; row < directions_.size(); ++row) {
      double* sum = sums.data() + found_.cluster_of[row] * width;
      for (std::size_t i = 0; i < width; ++i) sum[i] += static_cast<double>(directions_.row(row)[i]);
    }
    for (std::size_t cluster = 0; cluster < clusters_; ++cluster) {
      const auto sum = std::span(sums).subspan(cluster * width, width);
      const double length = std::sqrt(std::inner_product(sum.begin(), sum.end(), sum.begin(), 0.0));
      float* centre = found_.centres.data() + cluster * width;
      if (!(length > 1e-6)) {
        std::copy_n(directions_.row(take_farthest()), width, centre);
        continue;
      }
      for (std::size_t i = 0; i < width; ++i) centre[i] = static_cast<float>(sum[i] / length);
    }
  }

  std::size_t take_farthest() {
    const auto farthest = std::min_element(cosines_.begin(), cosines_.end());
    *farthest = 2;  // not twice
    return static_cast<std::size_t>(farthest - cosines_.begin());
  }

  // What the last pass left empty (equal directions) takes a direction from a cluster that has several.
  void fill_empty() {
    std::vector<std::size_t> sizes(clusters_);
    for (const std::uint32_t cluster : found_.cluster_of) ++sizes[cluster];
    for (std::uint32_t cluster = 0; cluster < clusters_; ++cluster) {
      while (sizes[cluster] == 0) {
        const std::size_t row = take_farthest();
        if (sizes[found_.cluster_of[row]] < 2) continue;
        --sizes[found_.cluster_of[row]];
        ++sizes[cluster];
        found_.cluster_of[row] = cluster;
      }
    }
  }

  const UnitDirections& directions_;
  std::size_t clusters_;
  RandomBits& bits_;
  KMeans found_;
  std::vector<float> cosines_;  // of each direction with its centre
  std::vector<float> products_;
};

}  // namespace

KMeans spherical_kmeans(const UnitDirections& directions, const KMeansRequest& request,
                        const std::function<void()>& start_done) {
  RandomBits bits(request.seed);
  KMeans best{.cluster_of = {}, .centres = {}, .mean_cosine = -2};
  for (std::size_t start = 0; start < request.starts; ++start) {
    KMeans found = Clusters(directions, request.clusters, bits).run();
    if (found.mean_cosine > best.mean_cosine) best = std::move(found);
    if (start_done) start_done();
  }
  return best;
}

}  // namespace saetap

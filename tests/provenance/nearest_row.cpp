#include "tests/provenance/nearest_row.h"

#include <algorithm>

namespace saetap::testing {

namespace {

constexpr std::int64_t kSample = 16384;
constexpr std::int64_t kPrincipal = 32;  // directions that all rows are compared in first

// So that the product of the two is the squared distance: one pass over the matrix less for each term.
at::Tensor left_factor(const at::Tensor& rows) {
  return at::cat({-2 * rows, rows.pow(2).sum(1, true), at::ones({rows.size(0), 1})}, 1);
}
at::Tensor right_factor(const at::Tensor& rows) {
  return at::cat({rows, at::ones({rows.size(0), 1}), rows.pow(2).sum(1, true)}, 1).t();
}

// Squared distance of each row asked for from the nearest of `rows` that is not itself.
at::Tensor squared_distance_to_nearest(const at::Tensor& rows, const at::Tensor& asked) {
  constexpr std::int64_t kBlock = 8192, kStrip = 1024;
  const auto left = left_factor(rows.index_select(0, asked));
  auto nearest = at::full({asked.size(0)}, 1e30, at::kFloat);
  for (std::int64_t first = 0; first < rows.size(0); first += kBlock) {
    const auto end = std::min(first + kBlock, rows.size(0));
    const auto right = right_factor(rows.slice(0, first, end));
    for (std::int64_t at = 0; at < asked.size(0); at += kStrip) {
      const auto strip = asked.slice(0, at, at + kStrip);
      auto squares = at::mm(left.slice(0, at, at + kStrip), right);
      const auto own = strip.ge(first).logical_and(strip.lt(end)).nonzero().reshape({-1});
      if (own.numel() > 0) {
        squares.index_put_({own, strip.index_select(0, own) - first}, at::full({own.numel()}, 1e30, at::kFloat));
      }
      auto best = nearest.slice(0, at, at + kStrip);
      best.copy_(at::minimum(best, squares.amin(1)));
    }
  }
  return nearest;
}

}  // namespace

std::vector<bool> have_near_duplicate(const at::Tensor& rows, const at::Tensor& asked, double close) {
  const at::NoGradGuard no_grad;
  const auto mean = rows.slice(0, 0, kSample).mean(0);
  const auto sample = rows.slice(0, 0, kSample) - mean;
  const auto limit = close * sample.norm(2, {-1}).mean().item<double>();
  // What float32 may be wrong by, in so many dimensions and so far from the mean.
  const auto slack = 1e-5 * sample.pow(2).sum(1).mean().item<double>();

  const auto inside = asked.lt(rows.size(0)).nonzero().reshape({-1});
  const auto numbers = asked.index_select(0, inside);
  // Rows that are far apart in some directions are so in all.
  const auto eigenvectors = std::get<1>(at::linalg_eigh(at::mm(sample.t(), sample)));
  const auto directions = eigenvectors.slice(1, eigenvectors.size(1) - kPrincipal);
  const auto projected = squared_distance_to_nearest(at::mm(rows - mean, directions), numbers);
  const auto maybe = projected.le(limit * limit + slack).nonzero().reshape({-1});
  const auto distance = squared_distance_to_nearest(rows - mean, numbers.index_select(0, maybe));
  const auto near = maybe.index_select(0, distance.le(limit * limit).nonzero().reshape({-1}));

  std::vector<bool> result(static_cast<std::size_t>(asked.size(0)));
  const auto found = inside.index_select(0, near);
  for (std::int64_t i = 0; i < found.size(0); ++i)
    result[static_cast<std::size_t>(found[i].item<std::int64_t>())] = true;
  return result;
}

}  // namespace saetap::testing

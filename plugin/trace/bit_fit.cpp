#include "plugin/trace/bit_fit.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace saetap {
namespace {

struct Reading {
  float value = 0;
  bool set = false;
};

// Equal parts of the range of some values.
class Bins {
 public:
  static constexpr std::size_t kCount = 512;
  explicit Bins(const std::vector<float>& values) : least_(values.front()) {
    float greatest = least_;
    for (const auto value : values) {
      least_ = std::min(least_, value);
      greatest = std::max(greatest, value);
    }
    const float scale = static_cast<float>(kCount) / (greatest - least_);
    if (std::isfinite(scale)) scale_ = scale;  // else all are in the first
  }
  [[nodiscard]] std::size_t operator()(float value) const {
    return std::min(static_cast<std::size_t>(static_cast<int>((value - least_) * scale_)), kCount - 1);
  }

 private:
  float least_;
  float scale_ = 0;
};

// The readings among which the best thresholds lie, with one more on either side, in order. To sort all of them would
// take most of the time of a fit.
std::vector<Reading> contested(const std::vector<float>& values, const std::vector<std::uint8_t>& set) {
  const Bins bin(values);
  std::array<std::array<int, 2>, Bins::kCount> counts{};  // unset, set
  for (std::size_t i = 0; i < values.size(); ++i) ++counts[bin(values[i])][set[i]];
  // Wrong bits with the threshold below all of a bin, but for a constant. Inside it they fall by no more than its unset
  // ones.
  std::array<int, Bins::kCount + 1> wrong{};
  for (std::size_t k = 0; k < Bins::kCount; ++k) wrong[k + 1] = wrong[k] + counts[k][1] - counts[k][0];
  const int fewest = *std::min_element(wrong.begin(), wrong.end());
  std::size_t first = Bins::kCount, last = 0;
  for (std::size_t k = 0; k < Bins::kCount; ++k) {
    if (wrong[k] - counts[k][0] > fewest) continue;
    first = std::min(first, k);
    last = k;
  }
  std::vector<Reading> readings;
  const auto none = values.size();
  auto below = none, above = none;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto k = bin(values[i]);
    if (k < first) {
      if (below == none || values[i] > values[below]) below = i;
    } else if (k > last) {
      if (above == none || values[i] < values[above]) above = i;
    } else {
      readings.push_back({values[i], set[i] != 0});
    }
  }
  for (const auto i : {below, above}) {
    if (i != none) readings.push_back({values[i], set[i] != 0});
  }
  std::sort(readings.begin(), readings.end(), [](const auto& a, const auto& b) { return a.value < b.value; });
  return readings;
}

using Vector = std::array<double, 3>;
using Matrix = std::array<Vector, 3>;

double determinant(const Matrix& m) {
  return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
         m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}

// Cramer's rule; false if there is no one solution.
bool solve(const Matrix& matrix, const Vector& right, Vector& solution) {
  const double whole = determinant(matrix);
  if (!(std::abs(whole) > 1e-30)) return false;
  for (std::size_t i = 0; i < 3; ++i) {
    auto replaced = matrix;
    for (std::size_t j = 0; j < 3; ++j) replaced[j][i] = right[j];
    solution[i] = determinant(replaced) / whole;
  }
  return true;
}

// What one row adds to a matrix of squares.
void add_square(Matrix& matrix, double weight, const Vector& x) {
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) matrix[i][j] += weight * x[i] * x[j];
  }
}

}  // namespace

void fit_threshold(const BitColumn& column, BitTurn& turn) {
  std::vector<float> values(column.first.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = turn.first_weight * column.first[i] - turn.second_weight * column.second[i];
  }
  const auto readings = contested(values, column.set);
  const auto count = static_cast<std::ptrdiff_t>(readings.size());
  std::ptrdiff_t wrong = 0, fewest = 0;  // compared with a threshold below all readings
  std::ptrdiff_t first = -1, last = -1;  // the threshold lies after this reading
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    wrong += readings[at].set ? 1 : -1;
    if (i + 1 < count && readings[at + 1].value == readings[at].value) continue;  // nothing comes between
    if (wrong < fewest) {
      fewest = wrong;
      first = last = i;
    } else if (wrong == fewest) {
      last = i;
    }
  }
  const auto middle = static_cast<std::size_t>(std::clamp<std::ptrdiff_t>((first + last) / 2, 0, count - 2));
  const float below = readings[middle].value;
  const float above = readings[middle + 1].value;
  turn.threshold = below + (above - below) / 2;
  turn.gap = (above - below) / 2;
}

// Logistic regression with a little damping: one Newton step after another.
void fit_weights(const BitColumn& column, BitTurn& turn) {
  constexpr int kSteps = 25;
  constexpr double kLeastWeight = 1e-6;
  constexpr double kSettled = 14;  // scores beyond which a row is decided: its chance is 0 or 1 to six digits
  const auto count = column.first.size();
  double scale = 0;
  Matrix least{};
  for (std::size_t i = 0; i < count; ++i) {
    scale += std::abs(turn.first_weight * column.first[i] - turn.second_weight * column.second[i] - turn.threshold);
    add_square(least, kLeastWeight, {column.first[i], column.second[i], 1});
  }
  scale /= static_cast<double>(count);
  if (!(scale > 0)) return;
  // In units in which the typical row is 4 away: nearly decided.
  Vector plane{turn.first_weight * 4 / scale, -turn.second_weight * 4 / scale, -turn.threshold * 4 / scale};
  const double norm = std::hypot(turn.first_weight, turn.second_weight);
  for (int step = 0; step < kSteps; ++step) {
    Vector gradient{};
    auto hessian = least;
    for (std::size_t i = 0; i < count; ++i) {
      const double score = plane[0] * column.first[i] + plane[1] * column.second[i] + plane[2];
      const bool decided = std::abs(score) > kSettled;
      if (decided && (score > 0) == (column.set[i] != 0)) continue;
      const Vector x{column.first[i], column.second[i], 1};
      const double chance = decided ? (score > 0 ? 1.0 : 0.0) : 1 / (1 + std::exp(-score));
      const double residual = (column.set[i] != 0 ? 1.0 : 0.0) - chance;
      for (std::size_t j = 0; j < 3; ++j) gradient[j] += residual * x[j];
      add_square(hessian, chance * (1 - chance), x);
    }
    // Separable rows would drive the plane's steepness to infinity: beyond this it says nothing more.
    const double steepness = std::hypot(plane[0], plane[1]) * scale / norm;
    if (steepness > 2000) break;
    for (std::size_t i = 0; i < 3; ++i) hessian[i][i] *= 1 + 1e-6;
    Vector change{};
    if (!solve(hessian, gradient, change)) break;
    const double size = std::max(std::abs(change[0]), std::abs(change[1]));
    const double length = std::hypot(plane[0], plane[1]);
    const double most = 0.5 * length;  // never more than half way round in one step
    const double damping = size > most ? most / size : 1;
    for (std::size_t i = 0; i < 3; ++i) plane[i] += damping * change[i];
    if (size < 1e-4 * length) break;
  }
  const double back = norm / std::hypot(plane[0], plane[1]);
  if (!std::isfinite(back) || plane[0] <= 0 || plane[1] >= 0) return;
  turn.first_weight = static_cast<float>(plane[0] * back);
  turn.second_weight = static_cast<float>(-plane[1] * back);
}

}  // namespace saetap

#include "integrations/analysis/feature_map.h"

#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <array>

#include <Spectra/MatOp/DenseSymMatProd.h>
#include <Spectra/SymEigsSolver.h>

namespace saetap {
namespace {

constexpr std::size_t kBlock = 2048;  // rows centred at a time
constexpr std::size_t kStrip = 1024;  // columns of the covariance made at a time
constexpr Eigen::Index kSmall = 256;  // of so few dimensions all components are found at once
constexpr Eigen::Index kComponents = 2;
constexpr Eigen::Index kKrylovVectors = 40;  // of Lanczos' method

struct Spread2d {
  Eigen::MatrixXd components;  // [width, 2], orthonormal
  std::array<double, 2> shares{};
};

Eigen::VectorXd mean_of(const UnitDirections& directions) {
  Eigen::VectorXd mean = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(directions.width));
  for (std::size_t at = 0; at < directions.size(); ++at) {
    mean += Eigen::Map<const Eigen::VectorXf>(directions.row(at), mean.size()).cast<double>();
  }
  return mean / static_cast<double>(directions.size());
}

// Centred in single precision before they are multiplied: a common part of all directions, squared, would leave little
// of what they differ in.
Eigen::MatrixXd covariance_of(const UnitDirections& directions, const Eigen::VectorXd& mean) {
  const std::size_t width = directions.width;
  const auto dimensions = static_cast<Eigen::Index>(width);
  Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(dimensions, dimensions);
  Eigen::MatrixXf centred, strip, product;
  for (std::size_t first = 0; first < directions.size(); first += kBlock) {
    const std::size_t count = std::min(kBlock, directions.size() - first);
    // Column by column, so that its memory is rows of a matrix that is the other way round.
    centred = Eigen::Map<const Eigen::MatrixXf>(directions.row(first), dimensions, static_cast<Eigen::Index>(count));
    centred.colwise() -= mean.cast<float>();
    for (std::size_t column = 0; column < width; column += kStrip) {
      const std::size_t columns = std::min(kStrip, width - column);
      strip = centred.middleRows(static_cast<Eigen::Index>(column), static_cast<Eigen::Index>(columns));
      product.resize(dimensions, strip.rows());
      multiply_columns({strip.data(), count, columns}, {centred.data(), count, width}, product.data());
      sum.middleCols(static_cast<Eigen::Index>(column), strip.rows()) += product.cast<double>();
    }
  }
  sum /= static_cast<double>(directions.size());
  return sum;
}

// The two eigenvectors of the largest eigenvalues, largest first.
Eigen::MatrixXd leading_components(const Eigen::MatrixXd& covariance, Eigen::VectorXd& values) {
  if (covariance.rows() > kSmall) {
    Spectra::DenseSymMatProd<double> product(covariance);
    Spectra::SymEigsSolver<Spectra::DenseSymMatProd<double>> solver(product, kComponents, kKrylovVectors);
    solver.init();
    solver.compute(Spectra::SortRule::LargestAlge);
    if (solver.info() == Spectra::CompInfo::Successful) {
      values = solver.eigenvalues();
      return solver.eigenvectors();
    }
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> all(covariance);  // ascending
  values = all.eigenvalues().tail(kComponents).reverse();
  return all.eigenvectors().rightCols(kComponents).rowwise().reverse();
}

Spread2d spread_of(const Eigen::MatrixXd& covariance) {
  Spread2d spread;
  Eigen::VectorXd values;
  spread.components = leading_components(covariance, values);
  const double total = covariance.trace();
  for (Eigen::Index i = 0; i < kComponents; ++i) {
    auto component = spread.components.col(i);
    Eigen::Index largest = 0;
    component.cwiseAbs().maxCoeff(&largest);
    if (component(largest) < 0) component = -component;
    if (total > 0) spread.shares[static_cast<std::size_t>(i)] = std::max(0.0, values(i)) / total;
  }
  return spread;
}

}  // namespace

FeatureMap principal_plane(const UnitDirections& directions) {
  FeatureMap map;
  if (directions.size() < 3 || directions.width < 2) return map;
  const Eigen::VectorXd mean = mean_of(directions);
  const Spread2d spread = spread_of(covariance_of(directions, mean));
  map.x_share = spread.shares[0];
  map.y_share = spread.shares[1];
  for (std::size_t at = 0; at < directions.size(); ++at) {
    const Eigen::VectorXd centred =
        Eigen::Map<const Eigen::VectorXf>(directions.row(at), mean.size()).cast<double>() - mean;
    const Eigen::VectorXd place = spread.components.transpose() * centred;
    map.points.push_back({directions.features[at], place(0), place(1)});
  }
  return map;
}

}  // namespace saetap

#include "integrations/analysis/direction_tokens.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <tuple>

namespace saetap {
namespace {

std::vector<double> products_with_rows(std::span<const float> direction, const Unembedding& matrix) {
  std::vector<double> products(matrix.rows);
  std::vector<float> row(matrix.columns);
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    matrix.read(i, row);
    for (std::size_t column = 0; column < row.size(); ++column) {
      products[i] += static_cast<double>(direction[column]) * static_cast<double>(row[column]);
    }
  }
  return products;
}

std::vector<double> products_with_columns(std::span<const float> direction, const Unembedding& matrix) {
  std::vector<double> products(matrix.columns);
  std::vector<float> row(matrix.columns);
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    matrix.read(i, row);
    for (std::size_t column = 0; column < row.size(); ++column) {
      products[column] += static_cast<double>(direction[i]) * static_cast<double>(row[column]);
    }
  }
  return products;
}

std::vector<DirectionToken> first_by(std::vector<DirectionToken> all, std::size_t top, double sign) {
  const std::size_t kept = std::min(top, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(kept), all.end(),
                    [sign](const DirectionToken& a, const DirectionToken& b) {
                      return std::tuple(-sign * a.logit, a.token) < std::tuple(-sign * b.logit, b.token);
                    });
  all.resize(kept);
  return all;
}

}  // namespace

DirectionTokens direction_tokens(std::span<const float> direction, const Unembedding& unembedding, std::size_t top) {
  if (unembedding.columns != direction.size() && unembedding.rows != direction.size()) {
    throw std::invalid_argument("no dimension is of the direction's width");
  }
  const auto products = unembedding.columns == direction.size() ? products_with_rows(direction, unembedding)
                                                                : products_with_columns(direction, unembedding);
  std::vector<DirectionToken> all;
  for (std::size_t token = 0; token < products.size(); ++token) {
    if (std::isfinite(products[token])) all.push_back({static_cast<std::int32_t>(token), products[token]});
  }
  return {.vocabulary = products.size(), .promoted = first_by(all, top, 1), .suppressed = first_by(all, top, -1)};
}

}  // namespace saetap

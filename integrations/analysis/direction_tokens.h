// Which tokens a feature's decoder direction makes likelier and less likely.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace saetap {

// A matrix of vocabulary and width, read row by row: see tensors::MatrixFile.
struct Unembedding {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::function<void(std::size_t row, std::span<float> values)> read;  // in order, from 0
};

struct DirectionToken {
  std::int32_t token = 0;
  double logit = 0;  // what an activation of 1 adds, before a final norm

  friend bool operator==(const DirectionToken&, const DirectionToken&) = default;
};

struct DirectionTokens {
  std::size_t vocabulary = 0;
  std::vector<DirectionToken> promoted;    // highest first
  std::vector<DirectionToken> suppressed;  // lowest first
};

// Products of the direction, [d], with the rows of an unembedding [vocabulary, d] or the columns of one
// [d, vocabulary] (of a square one, the rows): the `top` highest and lowest, equal ones in order of the token, those
// that are not finite left out. Sums are in double; memory grows with the vocabulary alone.
// Throws std::invalid_argument if neither dimension is d.
[[nodiscard]] DirectionTokens direction_tokens(std::span<const float> direction, const Unembedding& unembedding,
                                               std::size_t top);

}  // namespace saetap

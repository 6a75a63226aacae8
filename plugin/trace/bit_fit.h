// Where one bit of a signature turns in a reader's rows, fitted to rows of which it is known whether they have it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace saetap {

// What each of the rows has in the two dimensions of the bit's pair, and whether the stream's row has the bit set.
struct BitColumn {
  std::vector<float> first;
  std::vector<float> second;
  std::vector<std::uint8_t> set;
};

// The bit is taken for set if first_weight * first - second_weight * second > threshold.
struct BitTurn {
  float first_weight = 1;
  float second_weight = 1;
  float threshold = 0;
  float gap = 0;  // from the threshold to the nearest rows on either side
};

// The weights of the line that divides set from unset bits best; they keep the norm they came with. Begins at `turn`.
void fit_weights(const BitColumn& column, BitTurn& turn);

// With the weights that `turn` has, the threshold with the fewest wrong bits; of equally good ones the middle. Two rows
// or more.
void fit_threshold(const BitColumn& column, BitTurn& turn);

}  // namespace saetap

// Where each bit of a signature turns in somebody else's rows, fitted to rows whose signatures are known.
#pragma once

#include <span>
#include <vector>

#include "plugin/trace/row_matrix.h"
#include "plugin/trace/row_signature.h"

namespace saetap {

// What a reader's row has in the two dimensions of each pair, and the signature of the stream's row it was made from.
struct MatchedRow {
  BitValues first;
  BitValues second;
  RowSignature signature;
};

// A bit is taken for set if first_weight * first - second_weight * second > threshold.
struct BitThresholds {
  BitValues first_weight;
  BitValues second_weight;
  BitValues threshold{};
  BitValues zone{};          // undecided: closer to the threshold than this times the row's contrast
  float usual_contrast = 0;  // rows with less have zones as if they had this: a threshold is never known exactly
  double noise = 0;          // typical distance from the threshold at which a bit is still wrong, in units of contrast

  BitThresholds();

  [[nodiscard]] float above(std::size_t b, float first, float second) const {
    return first_weight[b] * first - second_weight[b] * second - threshold[b];
  }
};

// A row as its bits: which are set, which are decided.
struct ReadBits {
  RowSignature set;
  RowSignature decided;
  int decided_count = 0;
};
// `stretch`: what the thresholds are multiplied with, for rows that were divided by their own size after centring.
[[nodiscard]] ReadBits read_bits(const BitThresholds& thresholds, const BitValues& first, const BitValues& second,
                                 float stretch = 1);

// The mean distance of a row from its thresholds: the unit that makes rows of all sizes alike.
[[nodiscard]] float contrast(const BitThresholds& thresholds, const BitValues& first, const BitValues& second);

// Fits thresholds and zones, and if `weighed` also the weights, to matched rows (64 or more). Rows that fit much worse
// than most are left out: their match or their values are not what the others are. `start`: where the weights begin.
[[nodiscard]] BitThresholds fit_thresholds(std::span<const MatchedRow> rows, bool weighed, const BitThresholds& start,
                                           const ParallelFor& parallel);

}  // namespace saetap

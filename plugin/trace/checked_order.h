// Rows that were changed on the way, but come in the order in which the model's latest call left them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "plugin/trace/activation_stream.h"
#include "plugin/trace/row_matrix.h"

namespace saetap {

struct CheckedOrder {
  double share = 0;                // of rows that lie nearer to the one in their place than to others of that call
  std::vector<std::uint8_t> near;  // [rows], 0: too far from the one in its place to be it
};

// Whether each row of a batch is the one in its place of the stream's latest call: it must lie nearer to its own place
// than to others, which no shuffled batch does. Nothing if the rows do not show it (or are fewer than 64, or another
// number). Makes the stream choose its pairs of dimensions if it has not.
[[nodiscard]] std::optional<CheckedOrder> check_order(ActivationStream& stream, const RowMatrix& rows,
                                                      const ParallelFor& parallel);

}  // namespace saetap

// Whether two decoders are one SAE's at different times, or those of two SAEs that only have the same shape.
#pragma once

#include <vector>

#include "plugin/collect/callback.h"
#include "plugin/store/sqlite.h"

namespace saetap {

// The rows of a decoder [features, d_out] that are compared, some hundred of them, one after the other. Empty if it is.
[[nodiscard]] std::vector<float> compared_rows(const HalfMatrix& directions, const Site& site);
// The same of a stored one; empty if the store has none. Throws StoreError.
[[nodiscard]] std::vector<float> stored_compared_rows(const Database& database, const Site& site);

// By the median cosine of the rows: two SAEs trained from different seeds share directions by chance only, with cosines
// near 0. True where either is not known. Both of `d_out` columns.
[[nodiscard]] bool are_akin(const std::vector<float>& a, const std::vector<float>& b, std::int64_t d_out);

}  // namespace saetap

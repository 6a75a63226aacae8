// Fingerprints of the rows of a tensor, on all cores.
#pragma once

#include <cstdint>
#include <vector>

#include "hooks/libtorch.h"

namespace saetap {

// `rows`: [..., d] of any floating type, at least one dimension; a row is the last one. CPU or any other device
// (copied).
[[nodiscard]] std::vector<std::uint64_t> row_fingerprints(const at::Tensor& rows);

}  // namespace saetap

// Which rows have another one close by: measured on the rows themselves, not on what the trace stage remembers of them.
#pragma once

#include <vector>

#include "hooks/libtorch.h"

namespace saetap::testing {

// `rows`: [n, d]. Of each row asked for, whether another row of `rows` lies nearer than `close` times the mean distance
// of rows from their mean. Rows of equal bits are near. Numbers from n on are not looked at: false.
[[nodiscard]] std::vector<bool> have_near_duplicate(const at::Tensor& rows, const at::Tensor& asked, double close);

}  // namespace saetap::testing

// What a program gives through the C interface, as tensors.
#pragma once

#include "hooks/libtorch.h"
#include "plugin/saetap.h"

namespace saetap {

// A view of the program's memory: valid while the call runs. NULL: undefined. Throws std::invalid_argument in one line;
// `what`: "rows", for that.
[[nodiscard]] at::Tensor tensor_of(const saetap_array* array, const char* what);

}  // namespace saetap

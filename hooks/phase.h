// What a call was for.
#pragma once

#include <cstdint>

namespace saetap {

// train: gradients are enabled and the module is not in eval mode; eval: everything else.
enum class Phase : std::uint8_t { train, eval };

}  // namespace saetap

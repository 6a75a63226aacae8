#pragma once

#include <string_view>

namespace saetap {

// Whether special tokens of this name begin or end a document or fill it up, in all the tokenizers that have one.
[[nodiscard]] bool is_boundary_name(std::string_view name);

}  // namespace saetap

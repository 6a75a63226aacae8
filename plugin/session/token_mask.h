// A language model's attention mask: which input holds it, and which tokens it leaves out.
#pragma once

#include <cstdint>
#include <vector>

#include "hooks/discover.h"

namespace saetap {

// The graph input that is an attention mask by its name: one with "mask" in it. Null if there is none.
[[nodiscard]] torch::jit::Value* mask_input(const hooks::Meeting& meeting, const torch::jit::Value* tokens);

// Whether a mask of this name marks what is left out, as PyTorch's own key_padding_mask does, where it is boolean.
[[nodiscard]] bool marks_padding(const torch::jit::Value& mask);

// One entry per token, 0: not attended to. `mask`: [batch, length], or [batch, 1…, length] as it is broadcast over
// heads; 1 and 0, booleans, or 0 and large negative numbers that are added to scores. Empty if it is none of these, if
// it is undefined, or if it would leave out everything.
[[nodiscard]] std::vector<std::uint8_t> attended_tokens(const at::Tensor& mask, bool marks_padding, std::int64_t batch,
                                                        std::int64_t length);

}  // namespace saetap

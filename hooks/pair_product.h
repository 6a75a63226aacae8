// Decoders of a code that is kept as (value, feature) pairs: weighted sums of the decoder's rows that the pairs name.
#pragma once

#include <optional>

#include "hooks/weight_product.h"

namespace saetap::hooks {

// The product that `node` computes if it is an embedding_bag with weights, or multiplies rows gathered from a weight,
// W[indices] * values, with what they are weighted with. `activation` are the indices, `scales` the values.
[[nodiscard]] std::optional<WeightProduct> pair_product(torch::jit::Node* node, const Scope& scope);

}  // namespace saetap::hooks

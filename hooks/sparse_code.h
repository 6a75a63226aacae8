// What makes a code sparse, from the operations between an encoder and its decoder, and whether it is kept as pairs.
#pragma once

#include <optional>
#include <string>

#include "hooks/data_flow.h"

namespace saetap::hooks {

struct CodeMaker {
  std::string name;     // "TopK", "BatchTopK", "JumpReLU", "ReLU"…; empty if nothing seen makes the code sparse
  bool strong = false;  // it says by itself that the code is a sparse one
  bool plain = false;   // a ReLU in whatever words, and no more: a feed-forward block may have it as well
  bool smooth = false;  // a smooth non-linearity, as feed-forward blocks have: GELU, SiLU…
};

// `between`: the nodes that the decoder's operand is computed from; only those that compute with `after_encoder` count.
[[nodiscard]] CodeMaker code_maker(const Nodes& between, const Values& after_encoder);

// Whether one of the nodes between computes with several rows, or with a weight that is not among `products`.
[[nodiscard]] bool mixes_rows(const Nodes& between, const Values& after_encoder, const Nodes& products);

// The same code as (value, feature) pairs: [..., k] each.
struct CodePair {
  torch::jit::Value* values = nullptr;
  torch::jit::Value* indices = nullptr;
};

// The pairs whose scatter into zeros is exactly `features`, if it is one: its indices are a top-k's, so that none
// occurs twice in a row, and nothing changes any of the tensors in place.
[[nodiscard]] std::optional<CodePair> scattered_pair(torch::jit::Value* features);

}  // namespace saetap::hooks

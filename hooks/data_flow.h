// Questions about what a value of a graph is computed from, and what is computed from it.
#pragma once

#include <initializer_list>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "hooks/libtorch.h"

namespace saetap::hooks {

using Values = std::unordered_set<const torch::jit::Value*>;
using Nodes = std::unordered_set<const torch::jit::Node*>;

[[nodiscard]] bool is_one_of(const torch::jit::Node* node, std::initializer_list<std::string_view> kinds);

// Every value computed from `sources`, they included. A node with blocks counts as one whole: its outputs are reached
// if anything inside is.
[[nodiscard]] Values downstream_of(torch::jit::Graph& graph, at::ArrayRef<torch::jit::Value*> sources);
[[nodiscard]] bool reaches_return(const torch::jit::Graph& graph, const Values& reached);

// What a value is computed from, up to and including the nodes in `stops`, of which no input is followed.
struct Upstream {
  Nodes nodes;
  Nodes stopped_at;
  Values values;
};
// Follows operations that change a value in place, too, where they stand before `reader`.
[[nodiscard]] Upstream upstream_of(torch::jit::Value* value, const torch::jit::Node* reader, const Nodes& stops);

// Whether something that is not in `allowed` changes `value`, or a view of it, in place.
[[nodiscard]] bool changed_in_place(const torch::jit::Value* value, const Nodes& allowed);

// The rows that were given to whoever computed `operand` [..., d]: back through what people do to a row before they
// encode it (centring, scaling, normalisation, casts, reshapes), as long as it is one value's rows alone. Rows that mix
// with other rows, or with another value's, are where it ends.
[[nodiscard]] torch::jit::Value* rows_before(torch::jit::Value* operand, const Values& from_input);

// Back through casts, of which every decoder of a code may have its own.
[[nodiscard]] torch::jit::Value* without_casts(torch::jit::Value* value);

// Whether two values are the same by how they are made: x[2] twice, say.
[[nodiscard]] bool same_value(const torch::jit::Value* a, const torch::jit::Value* b);

// Whether the rows are an input of the graph, or a part or view of one.
[[nodiscard]] bool is_given(const torch::jit::Value* rows);

// Whether `value` can be read just before `node`.
[[nodiscard]] bool visible_at(const torch::jit::Value* value, const torch::jit::Node* node);
// Whether at most one of the two runs in any one pass through the graph: they stand in different branches of one
// prim::If.
[[nodiscard]] bool exclude_each_other(const torch::jit::Node* a, const torch::jit::Node* b);

}  // namespace saetap::hooks

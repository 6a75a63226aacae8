// A product of activations with a weight: which of its dimensions are summed over, and where they lie in the
// activations.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hooks/weight_operand.h"

namespace saetap::hooks {

// How a parameter is read as matrices [groups, in, out]; groups stand for the layers or instances of a stack.
struct WeightLayout {
  std::vector<std::pair<std::int64_t, std::int64_t>> selected;  // dimensions held at one index
  std::vector<std::int64_t> order;                              // the other dimensions: groups first, then in, then out
  std::int64_t groups = 1;
  std::int64_t in = 0;
  std::int64_t out = 0;

  // The parameter as it is now, [groups, in, out]; undefined if it has another shape by now, no strides, or
  // no memory.
  [[nodiscard]] at::Tensor matrices(const at::Tensor& parameter) const;
};

struct WeightProduct {
  torch::jit::Node* node = nullptr;
  torch::jit::Value* activation = nullptr;  // what meets the weight; of pairs, their indices
  torch::jit::Value* scales = nullptr;      // of pairs: their values
  WeightOperand weight;
  WeightLayout layout;
  std::int64_t row_width = 0;  // size of the last dimension summed over: d of a crosscoder's [layers, d]
  // Places in the activations, counted from the end where negative.
  std::int64_t in_axis = -1;
  std::optional<std::int64_t> group_axis;
  std::string operation;  // "linear", "einsum ld,lfd->lf"
};

// The product that `node` computes, if it is one with a weight of two dimensions or more.
[[nodiscard]] std::optional<WeightProduct> weight_product(torch::jit::Node* node, const Scope& scope);

}  // namespace saetap::hooks

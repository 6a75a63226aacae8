// Which operand of a matrix product is a weight, and where that weight lives.
#pragma once

#include <optional>
#include <string>

#include "hooks/libtorch.h"

namespace saetap::hooks {

// An operand that is a parameter of the module (reached by GetAttr from self, or a constant of a frozen graph), seen
// through transposes, casts and normalisations.
struct WeightOperand {
  at::Tensor tensor;                   // as of the analysis
  torch::jit::Value* owner = nullptr;  // the object that holds it; null for a constant of a frozen graph
  std::string attribute;               // its name in `owner`
  std::string path;                    // from self, for people: "decoder.weight"
  bool transposed = false;             // the product sees it transposed
};

// `self`: the object that the graph's first input stands for. Nothing if `value` is no such weight.
[[nodiscard]] std::optional<WeightOperand> weight_operand(torch::jit::Value* value, const c10::ivalue::Object& self);

// A matrix product y = x W (+ b) with a weight W [in, out].
struct WeightProduct {
  torch::jit::Node* node = nullptr;
  std::size_t activation_input = 0;  // which input of `node` is x
  WeightOperand weight;
  std::int64_t in = 0;
  std::int64_t out = 0;

  [[nodiscard]] torch::jit::Value* activation() const { return node->input(activation_input); }
};

// The product that `node` computes, if it is one with a two-dimensional weight.
[[nodiscard]] std::optional<WeightProduct> weight_product(torch::jit::Node* node, const c10::ivalue::Object& self);

}  // namespace saetap::hooks

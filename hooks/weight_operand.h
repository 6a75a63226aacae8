// A value of a graph that is a weight: a parameter of the module, or a constant of a frozen graph, seen through casts,
// transposes, slices and normalisation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hooks/scope.h"

namespace saetap::hooks {

struct WeightOperand {
  at::Tensor tensor;                   // the parameter as of the analysis
  torch::jit::Value* owner = nullptr;  // the object that holds it; null for a constant of a frozen graph
  std::string attribute;               // its name in `owner`; empty for a constant
  std::string path;                    // from the method's module, for people: "decoder.weight", "W_dec[2]"
  // Dimension i of what is seen is dimension dims[i] of the parameter; -1: one of size 1 that was put in.
  std::vector<std::int64_t> dims;
  std::vector<std::pair<std::int64_t, std::int64_t>> selected;  // dimensions of the parameter held at one index
  bool sliced = false;      // a part of the parameter only: a prefix of its features, say
  bool normalised = false;  // divided by something computed: its own norm
  bool detached = false;    // no gradient flows to it from here

  [[nodiscard]] std::int64_t size(std::size_t dim) const { return dims[dim] < 0 ? 1 : tensor.size(dims[dim]); }
};

// Nothing if `value` is no such weight.
[[nodiscard]] std::optional<WeightOperand> weight_operand(torch::jit::Value* value, const Scope& scope);

}  // namespace saetap::hooks

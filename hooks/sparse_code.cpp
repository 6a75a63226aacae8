#include "hooks/sparse_code.h"

#include <algorithm>
#include <array>

namespace saetap::hooks {

using torch::jit::Node;
using torch::jit::Value;

namespace {

struct Maker {
  std::string_view operation;
  std::string_view name;
  bool strong;
};

// The first that is found names the code.
constexpr std::array kMakers = {
    Maker{"aten::topk", "TopK", true},           Maker{"aten::kthvalue", "TopK", true},
    Maker{"aten::sort", "TopK", true},           Maker{"aten::gt", "JumpReLU", true},
    Maker{"aten::ge", "JumpReLU", true},         Maker{"aten::lt", "JumpReLU", true},
    Maker{"aten::le", "JumpReLU", true},         Maker{"aten::heaviside", "JumpReLU", true},
    Maker{"aten::hardshrink", "JumpReLU", true}, Maker{"aten::softshrink", "soft threshold", true},
    Maker{"aten::max", "ReLU", false},           Maker{"aten::relu", "ReLU", false},
    Maker{"aten::relu_", "ReLU", false},         Maker{"aten::relu6", "ReLU", false},
    Maker{"aten::clamp_min", "ReLU", false},     Maker{"aten::clamp_min_", "ReLU", false},
    Maker{"aten::clamp", "ReLU", false},         Maker{"aten::clamp_", "ReLU", false},
    Maker{"aten::maximum", "ReLU", false},       Maker{"aten::threshold", "ReLU", false},
    Maker{"aten::threshold_", "ReLU", false},
};

// The largest of each group, and which it was.
bool is_group_max(const Node* node) {
  return is_one_of(node, {"aten::max"}) && node->outputs().size() == 2 && !node->output(1)->uses().empty();
}

bool is_smooth(const Node* node) {
  return is_one_of(node, {"aten::gelu", "aten::gelu_", "aten::silu", "aten::silu_", "aten::sigmoid", "aten::tanh",
                          "aten::softmax", "aten::mish", "aten::elu", "aten::selu", "aten::softplus", "aten::erf",
                          "aten::leaky_relu", "aten::glu", "aten::hardswish", "aten::log_softmax", "aten::celu"});
}

// Over the whole batch at once: what is ranked was flattened before.
bool ranks_whole_batch(const Node* topk) {
  const Node* made = topk->input(0)->node();
  if (is_one_of(made, {"aten::flatten"})) return true;
  if (!is_one_of(made, {"aten::view", "aten::reshape"})) return false;
  const auto shape = torch::jit::constant_as<std::vector<int64_t>>(made->input(1));
  return (shape && shape->size() == 1) || (!shape && made->input(1)->node()->inputs().size() == 1);
}

bool ranks_magnitudes(const Node* topk) {
  return is_one_of(topk->input(0)->node(), {"aten::abs"});
}

bool is_zero(const Value* value);

// Zeros made in this call: what is written into them is all that they hold.
bool makes_zeros(const Node* node) {
  if (is_one_of(node, {"aten::zeros", "aten::zeros_like", "aten::new_zeros"})) return true;
  if (is_one_of(node, {"aten::full", "aten::full_like"})) return is_zero(node->input(1));
  return is_one_of(node, {"aten::new_full"}) && is_zero(node->input(2));
}

// A number or a tensor that is all zero, as far as the graph says.
bool is_zero(const Value* value) {
  const Node* node = value->node();
  if (makes_zeros(node)) return true;
  if (is_one_of(node, {"aten::tensor", "aten::scalar_tensor", "prim::NumToTensor"})) return is_zero(node->input(0));
  const auto constant = torch::jit::toIValue(value);
  if (!constant) return false;
  if (constant->isTensor()) return constant->toTensor().defined() && constant->toTensor().eq(0).all().item<bool>();
  return constant->isScalar() && constant->toScalar().toDouble() == 0;
}

// Whether what a comparison tells apart is set to zero: not so in a leaky activation, or where it asks for overflow.
bool sets_to_zero(const Value* mask) {
  return std::any_of(mask->uses().begin(), mask->uses().end(), [](const auto& use) {
    const Node* node = use.user;
    if (is_one_of(node, {"aten::mul", "aten::mul_"})) return true;
    if (is_one_of(node, {"aten::masked_fill", "aten::masked_fill_", "aten::index_put_", "aten::index_put"})) {
      return is_zero(node->input(2));
    }
    if (is_one_of(node, {"aten::where"}) && node->inputs().size() == 3) {
      return is_zero(node->input(1)) || is_zero(node->input(2));
    }
    const bool hands_on = is_one_of(node, {"aten::to",
                                           "aten::type_as",
                                           "aten::float",
                                           "aten::bitwise_and",
                                           "aten::logical_and",
                                           "aten::__and__",
                                           "aten::bitwise_not",
                                           "aten::logical_not",
                                           "aten::bitwise_or",
                                           "aten::logical_or",
                                           "aten::unsqueeze",
                                           "aten::detach",
                                           "aten::view",
                                           "aten::reshape",
                                           "aten::expand_as",
                                           "prim::ListConstruct",
                                           "aten::sub",
                                           "aten::rsub",
                                           "aten::clone",
                                           "aten::_autocast_to_reduced_precision",
                                           "aten::_autocast_to_full_precision"});
    return hands_on && sets_to_zero(node->output());
  });
}

// Whether the operation, which may be used for other ends, makes the code sparse here.
bool makes_sparse(const Node* node) {
  if (is_one_of(node, {"aten::gt", "aten::ge", "aten::lt", "aten::le"})) return sets_to_zero(node->output());
  if (is_one_of(node, {"aten::max"})) {
    const bool of_two = node->inputs().size() == 2 && node->input(1)->type()->isSubtypeOf(*c10::TensorType::get());
    return of_two || is_group_max(node);
  }
  return true;
}

std::string name_of(const Maker& maker, const Node* node) {
  if (maker.operation != "aten::topk") return std::string(maker.name);
  return std::string(ranks_magnitudes(node) ? "abs-" : "") + (ranks_whole_batch(node) ? "BatchTopK" : "TopK");
}

bool computes_with(const Node* node, const Values& values) {
  return std::any_of(node->inputs().begin(), node->inputs().end(),
                     [&](const Value* v) { return values.count(v) != 0; });
}

}  // namespace

CodeMaker code_maker(const Nodes& between, const Values& after_encoder) {
  CodeMaker code;
  std::size_t best = kMakers.size();
  for (const Node* node : between) {
    if (!computes_with(node, after_encoder) || !makes_sparse(node)) continue;
    code.smooth |= is_smooth(node);
    const auto maker = std::find_if(kMakers.begin(), kMakers.begin() + static_cast<std::ptrdiff_t>(best),
                                    [&](const Maker& m) { return is_one_of(node, {m.operation}); });
    if (maker == kMakers.begin() + static_cast<std::ptrdiff_t>(best)) continue;
    best = static_cast<std::size_t>(maker - kMakers.begin());
    code.name = is_group_max(node) ? "GroupMax" : name_of(*maker, node);
    code.strong = maker->strong || is_group_max(node);
    code.plain = maker->name == "ReLU" && !is_group_max(node);
  }
  // sign(x) · relu(|x| − t), and relu(x − t) with a threshold of each feature's own
  const bool shrinks = std::any_of(between.begin(), between.end(), [](const Node* node) {
    return is_one_of(node, {"aten::sign", "aten::sgn"});
  });
  if (code.plain && shrinks) {
    code.name = "soft threshold";
    code.plain = false;
    code.strong = true;
  }
  return code;
}

bool mixes_rows(const Nodes& between, const Values& after_encoder, const Nodes& products) {
  return std::any_of(between.begin(), between.end(), [&](const Node* node) {
    return computes_with(node, after_encoder) && products.count(node) == 0 &&
           is_one_of(node, {"aten::matmul", "aten::mm", "aten::bmm", "aten::baddbmm", "aten::einsum", "aten::linear",
                            "aten::softmax", "aten::scaled_dot_product_attention", "aten::cumsum", "aten::conv1d",
                            "aten::conv2d"});
  });
}

std::optional<CodePair> scattered_pair(Value* features) {
  Node* scatter = features->node();
  if (!is_one_of(scatter, {"aten::scatter", "aten::scatter_"}) || scatter->inputs().size() != 4) return std::nullopt;
  Value* base = scatter->input(0);
  Value* indices = scatter->input(2);
  Value* values = scatter->input(3);
  const bool last_dim = torch::jit::constant_as<int64_t>(scatter->input(1)) == -1;
  const bool from_topk = is_one_of(indices->node(), {"aten::topk"}) && indices->offset() == 1;
  if (!last_dim || !from_topk || !makes_zeros(base->node())) return std::nullopt;
  if (!values->type()->isSubtypeOf(*c10::TensorType::get())) return std::nullopt;
  const Nodes allowed{scatter};
  for (const auto* value : {features, base, indices, values}) {
    if (changed_in_place(value, allowed)) return std::nullopt;
  }
  return CodePair{values, indices};
}

}  // namespace saetap::hooks

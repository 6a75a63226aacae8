#include "hooks/pair_product.h"

#include "hooks/data_flow.h"

namespace saetap::hooks {

using torch::jit::Node;
using torch::jit::Value;

namespace {

// W [F, d]
std::optional<WeightProduct> product_with(std::optional<WeightOperand> weight, Node* node, Value* indices,
                                          Value* values) {
  const bool tensors =
      indices->type()->isSubtypeOf(*c10::TensorType::get()) && values->type()->isSubtypeOf(*c10::TensorType::get());
  if (!weight || weight->dims.size() != 2 || weight->dims[0] < 0 || weight->dims[1] < 0 || !tensors)
    return std::nullopt;
  WeightProduct product;
  product.node = node;
  product.activation = indices;
  product.scales = values;
  product.weight = std::move(*weight);
  product.layout.selected = product.weight.selected;
  product.layout.order = product.weight.dims;
  product.layout.in = product.row_width = product.weight.size(0);
  product.layout.out = product.weight.size(1);
  return product;
}

bool is_same_after_flattening(const Node* node) {
  return is_one_of(node, {"aten::reshape", "aten::view", "aten::flatten", "prim::unchecked_cast"});
}

// torch.nn.functional.embedding_bag, when scripted, flattens its [rows, k] in one branch and not in the other, and has
// more branches for arguments in the order of old. What enters them all is what it was given; `value` itself if the
// branches give different tensors.
Value* before_branches(Value* value, const Scope& scope) {
  Node* branch = value->node();
  if (branch->kind() == torch::jit::prim::unchecked_cast) return before_branches(branch->input(), scope);
  if (branch->kind() != torch::jit::prim::If) return value;
  Value* given = nullptr;
  for (auto* block : branch->blocks()) {
    Value* from = block->outputs()[value->offset()];
    if (from->node()->kind() == torch::jit::prim::Uninitialized || weight_operand(from, scope)) continue;
    while (from->node()->owningBlock() == block && is_same_after_flattening(from->node())) {
      from = from->node()->input(0);
    }
    from = before_branches(from, scope);
    if (given != nullptr && given != from) return value;
    given = from;
  }
  return given != nullptr ? given : value;
}

std::optional<WeightOperand> weight_in_branches(Value* value, const Scope& scope) {
  if (value->node()->kind() != torch::jit::prim::If) return weight_operand(value, scope);
  std::optional<WeightOperand> found;
  for (auto* block : value->node()->blocks()) {
    auto weight = weight_in_branches(block->outputs()[value->offset()], scope);
    if (weight && found && !weight->tensor.is_same(found->tensor)) return std::nullopt;
    if (weight) found = std::move(weight);
  }
  return found;
}

// Whether all bags have the same number of pairs: offsets made by arange, or frozen to what it makes.
bool equal_bags(Value* offsets) {
  if (is_one_of(offsets->node(), {"aten::arange"})) return true;
  const auto constant = torch::jit::toIValue(offsets);
  if (!constant || !constant->isTensor() || !constant->toTensor().defined()) return false;
  const auto& starts = constant->toTensor();
  if (starts.dim() != 1 || starts.numel() < 2) return false;
  const auto sizes = starts.diff();
  return sizes.eq(sizes[0]).all().item<bool>();
}

std::optional<WeightProduct> embedding_bag(Node* node, const Scope& scope) {
  constexpr std::size_t kMode = 4;
  constexpr std::size_t kScales = 6;
  if (node->inputs().size() <= kScales || torch::jit::constant_as<int64_t>(node->input(kMode)) != 0)
    return std::nullopt;
  Value* offsets = node->input(2);
  Value* indices = before_branches(node->input(1), scope);
  Value* values = before_branches(node->input(kScales), scope);
  // Traced, [rows, k] is flattened, with offsets at equal distances.
  const bool flattened = is_same_after_flattening(indices->node()) && is_same_after_flattening(values->node());
  if (flattened && equal_bags(offsets)) {
    indices = indices->node()->input(0);
    values = values->node()->input(0);
  }
  return product_with(weight_in_branches(node->input(0), scope), node, indices, values);
}

Value* without_unit_dimensions(Value* value) {
  while (is_one_of(value->node(), {"aten::unsqueeze", "aten::squeeze", "aten::to", "aten::type_as",
                                   "aten::_autocast_to_reduced_precision", "aten::_autocast_to_full_precision"})) {
    value = value->node()->input(0);
  }
  return value;
}

// The indices of W[indices], if `value` is that.
Value* gathered_by(Value* value, const Scope& scope) {
  Node* gather = without_unit_dimensions(value)->node();
  const bool gathers = is_one_of(gather, {"aten::index", "aten::embedding"});
  if (!gathers || !weight_operand(gather->input(0), scope)) return nullptr;
  if (is_one_of(gather, {"aten::embedding"})) return gather->input(1);
  const auto indices = gather->input(1)->node()->inputs();
  return indices.size() == 1 ? indices[0] : nullptr;
}

std::optional<WeightProduct> gather(Node* node, const Scope& scope) {
  at::ArrayRef<Value*> operands = node->inputs().slice(0, 2);
  if (is_one_of(node, {"aten::einsum"})) operands = node->input(1)->node()->inputs();
  if (operands.size() != 2) return std::nullopt;
  const bool names_dimensions = is_one_of(node, {"aten::einsum"});
  for (const std::size_t rows : {0, 1}) {
    auto* indices = gathered_by(operands[rows], scope);
    // One value for each gathered row: elsewhere values get a dimension for it.
    const bool one_each = names_dimensions || is_one_of(without_casts(operands[1 - rows])->node(), {"aten::unsqueeze"});
    if (indices == nullptr || !one_each) continue;
    auto* weight = without_unit_dimensions(operands[rows])->node()->input(0);
    auto product =
        product_with(weight_operand(weight, scope), node, indices, without_unit_dimensions(operands[1 - rows]));
    if (product) product->operation = "gather and " + std::string(node->kind().toUnqualString());
    return product;
  }
  return std::nullopt;
}

}  // namespace

std::optional<WeightProduct> pair_product(Node* node, const Scope& scope) {
  if (is_one_of(node, {"aten::embedding_bag", "aten::_embedding_bag"})) return embedding_bag(node, scope);
  if (is_one_of(node, {"aten::mul", "aten::matmul", "aten::bmm", "aten::einsum"})) return gather(node, scope);
  return std::nullopt;
}

}  // namespace saetap::hooks

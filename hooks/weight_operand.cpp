#include "hooks/weight_operand.h"

#include <string_view>
#include <vector>

namespace saetap::hooks {

using torch::jit::Node;
using torch::jit::Value;

namespace {

bool is_one_of(Node* node, std::initializer_list<std::string_view> kinds) {
  const std::string_view kind = node->kind().toQualString();
  for (const auto name : kinds) {
    if (kind == name) return true;
  }
  return false;
}

// Operations through which a weight stays the same weight: casts, views, and scaling of its rows or columns.
bool keeps_weight(Node* node) {
  return is_one_of(
      node, {"aten::to", "aten::detach", "aten::contiguous", "aten::clone", "aten::alias", "aten::type_as", "aten::div",
             "aten::mul", "aten::_autocast_to_reduced_precision", "aten::_autocast_to_full_precision"});
}

// A transpose of the two dimensions of a matrix, whatever its spelling.
bool swaps_two_dimensions(Node* node) {
  if (is_one_of(node, {"aten::t", "aten::numpy_T", "aten::mT", "aten::T", "aten::matrix_H", "aten::mH"})) return true;
  if (is_one_of(node, {"aten::transpose"})) {
    const auto first = torch::jit::constant_as<int64_t>(node->input(1));
    const auto second = torch::jit::constant_as<int64_t>(node->input(2));
    return first && second && (*first & 1) != (*second & 1);
  }
  if (is_one_of(node, {"aten::permute"})) {
    const auto order = torch::jit::constant_as<std::vector<int64_t>>(node->input(1));
    return order && order->size() == 2 && order->at(0) != 0;
  }
  return false;
}

// Follows GetAttr nodes from self to a tensor.
std::optional<WeightOperand> parameter_at(Value* value, const c10::ivalue::Object& self) {
  std::vector<std::string> names;
  Value* at = value;
  while (at->node()->kind() == torch::jit::prim::GetAttr) {
    names.insert(names.begin(), at->node()->s(torch::jit::attr::name));
    at = at->node()->input(0);
  }
  const auto& inputs = value->owningGraph()->inputs();
  if (names.empty() || inputs.empty() || at != inputs[0]) return std::nullopt;

  const c10::ivalue::Object* object = &self;
  WeightOperand operand;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!object->type()->findAttributeSlot(names[i])) return std::nullopt;
    const auto attribute = object->getAttr(names[i]);
    operand.path += (i == 0 ? "" : ".") + names[i];
    if (i + 1 == names.size()) {
      if (!attribute.isTensor()) return std::nullopt;
      operand.tensor = attribute.toTensor();
    } else {
      if (!attribute.isObject()) return std::nullopt;
      object = &attribute.toObjectRef();
    }
  }
  operand.owner = value->node()->input(0);
  operand.attribute = names.back();
  return operand;
}

}  // namespace

std::optional<WeightOperand> weight_operand(Value* value, const c10::ivalue::Object& self) {
  bool transposed = false;
  while (true) {
    Node* node = value->node();
    if (node->kind() == torch::jit::prim::GetAttr) {
      auto operand = parameter_at(value, self);
      if (operand) operand->transposed = transposed;
      return operand;
    }
    if (node->kind() == torch::jit::prim::Constant) {
      const auto constant = torch::jit::toIValue(value);
      if (!constant || !constant->isTensor()) return std::nullopt;
      return WeightOperand{constant->toTensor(), nullptr, "", "constant", transposed};
    }
    if (swaps_two_dimensions(node)) {
      transposed = !transposed;
    } else if (!keeps_weight(node)) {
      return std::nullopt;
    }
    value = node->input(0);
  }
}

std::optional<WeightProduct> weight_product(Node* node, const c10::ivalue::Object& self) {
  std::size_t activation = 0;
  std::size_t weight = 1;
  bool weight_is_out_in = false;
  if (is_one_of(node, {"aten::linear"})) {
    weight_is_out_in = true;  // linear computes x Wᵀ
  } else if (is_one_of(node, {"aten::addmm"})) {
    activation = 1;
    weight = 2;
  } else if (!is_one_of(node, {"aten::matmul", "aten::mm"})) {
    return std::nullopt;
  }
  auto operand = weight_operand(node->input(weight), self);
  if (!operand || !operand->tensor.defined() || operand->tensor.dim() != 2) return std::nullopt;
  if (weight_is_out_in) operand->transposed = !operand->transposed;

  WeightProduct product{node, activation, *operand, operand->tensor.size(0), operand->tensor.size(1)};
  if (operand->transposed) std::swap(product.in, product.out);
  return product;
}

}  // namespace saetap::hooks

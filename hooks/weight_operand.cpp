#include "hooks/weight_operand.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string_view>

#include "hooks/data_flow.h"

namespace saetap::hooks {

using torch::jit::Node;
using torch::jit::Value;

namespace {

std::vector<std::int64_t> all_dims(const at::Tensor& tensor) {
  std::vector<std::int64_t> dims(static_cast<std::size_t>(tensor.dim()));
  std::iota(dims.begin(), dims.end(), 0);
  return dims;
}

WeightOperand whole(const at::Tensor& tensor, std::string path) {
  WeightOperand operand;
  operand.tensor = tensor;
  operand.dims = all_dims(tensor);
  operand.path = std::move(path);
  return operand;
}

std::optional<WeightOperand> parameter_at(Value* value, const Scope& scope) {
  const auto owner = object_at(value->node()->input(0), scope);
  const auto& name = value->node()->s(torch::jit::attr::name);
  if (!owner || !owner->object->type()->findAttributeSlot(name)) return std::nullopt;
  const auto attribute = owner->object->getAttr(name);
  if (!attribute.isTensor() || !attribute.toTensor().defined()) return std::nullopt;
  auto operand = whole(attribute.toTensor(), joined_path(owner->path, name));
  operand.owner = value->node()->input(0);
  operand.attribute = name;
  return operand;
}

// Freezing names a constant after the attribute it was: "self.sae.W_dec"; a module that was saved since has lost it.
std::optional<WeightOperand> constant_at(Value* value) {
  const auto constant = torch::jit::toIValue(value);
  if (!constant || !constant->isTensor() || !constant->toTensor().defined()) return std::nullopt;
  const std::string name = value->hasDebugName() ? value->debugNameBase() : "";
  return whole(constant->toTensor(), name.rfind("self.", 0) == 0 ? name.substr(5) : "constant");
}

// Index of a dimension as the caller wrote it, or nothing where it is no constant or out of range.
std::optional<std::size_t> dimension(Node* node, std::size_t input, std::size_t rank) {
  const auto written = torch::jit::constant_as<int64_t>(node->input(input));
  const auto size = static_cast<std::int64_t>(rank);
  if (!written || *written < -size || *written >= size) return std::nullopt;
  return static_cast<std::size_t>(*written < 0 ? *written + size : *written);
}

bool swap_dimensions(Node* node, WeightOperand& operand) {
  auto& dims = operand.dims;
  if (is_one_of(node,
                {"aten::t", "aten::numpy_T", "aten::mT", "aten::T", "aten::matrix_H", "aten::mH", "aten::adjoint"})) {
    if (dims.size() < 2) return false;
    if (is_one_of(node, {"aten::numpy_T", "aten::T"})) {
      std::reverse(dims.begin(), dims.end());
    } else {
      std::swap(dims[dims.size() - 1], dims[dims.size() - 2]);
    }
    return true;
  }
  if (is_one_of(node, {"aten::transpose", "aten::swapaxes", "aten::swapdims"})) {
    const auto first = dimension(node, 1, dims.size());
    const auto second = dimension(node, 2, dims.size());
    if (!first || !second) return false;
    std::swap(dims[*first], dims[*second]);
    return true;
  }
  const auto order = torch::jit::constant_as<std::vector<int64_t>>(node->input(1));  // aten::permute
  if (!order || order->size() != dims.size()) return false;
  std::vector<std::int64_t> permuted;
  for (const auto dim : *order) {
    const auto at = dim < 0 ? dim + static_cast<std::int64_t>(dims.size()) : dim;
    if (at < 0 || at >= static_cast<std::int64_t>(dims.size())) return false;
    permuted.push_back(dims[static_cast<std::size_t>(at)]);
  }
  dims = std::move(permuted);
  return true;
}

bool select_index(Node* node, WeightOperand& operand) {
  const auto dim = dimension(node, 1, operand.dims.size());
  const auto index = torch::jit::constant_as<int64_t>(node->input(2));
  if (!dim || !index) return false;
  const auto parameter_dim = operand.dims[*dim];
  operand.dims.erase(operand.dims.begin() + static_cast<std::ptrdiff_t>(*dim));
  if (parameter_dim < 0) return true;
  const auto size = operand.tensor.size(parameter_dim);
  const auto at = *index < 0 ? *index + size : *index;
  if (at < 0 || at >= size) return false;
  operand.selected.emplace_back(parameter_dim, at);
  operand.path += "[" + std::to_string(at) + "]";
  return true;
}

bool is_whole_slice(Node* node) {
  const auto start = torch::jit::toIValue(node->input(2));
  const auto end = torch::jit::toIValue(node->input(3));
  const bool from_first = start && (start->isNone() || (start->isInt() && start->toInt() == 0));
  return from_first && end &&
         (end->isNone() || (end->isInt() && end->toInt() == std::numeric_limits<std::int64_t>::max()));
}

bool add_dimension(Node* node, WeightOperand& operand) {
  const auto dim = dimension(node, 1, operand.dims.size() + 1);
  if (dim) operand.dims.insert(operand.dims.begin() + static_cast<std::ptrdiff_t>(*dim), -1);
  return dim.has_value();
}

bool keeps_as_it_is(const Node* node) {
  return is_one_of(node, {"aten::to", "aten::contiguous", "aten::clone", "aten::alias", "aten::type_as", "aten::float",
                          "aten::to_sparse", "aten::to_dense", "aten::to_mkldnn", "aten::_weight_norm",
                          "aten::_autocast_to_reduced_precision", "aten::_autocast_to_full_precision"});
}

bool scales(const Node* node) {
  return is_one_of(node, {"aten::div", "aten::mul", "aten::add", "aten::sub"});
}

bool permutes(const Node* node) {
  return is_one_of(node, {"aten::t", "aten::numpy_T", "aten::mT", "aten::T", "aten::matrix_H", "aten::mH",
                          "aten::adjoint", "aten::transpose", "aten::swapaxes", "aten::swapdims", "aten::permute"});
}

bool takes_a_part(const Node* node) {
  return is_one_of(node, {"aten::narrow", "aten::split", "aten::split_with_sizes", "aten::chunk", "prim::ListUnpack",
                          "aten::__getitem__"});
}

bool may_be_seen_through(const Node* node) {
  return keeps_as_it_is(node) || scales(node) || permutes(node) || takes_a_part(node) ||
         is_one_of(node, {"aten::detach", "aten::select", "aten::slice", "aten::unsqueeze"});
}

// Changes `operand`, which node's input is, into what node's output is. False if it is no weight any more.
bool see_through(Node* node, WeightOperand& operand) {
  if (keeps_as_it_is(node)) return true;
  if (permutes(node)) return swap_dimensions(node, operand);
  if (takes_a_part(node)) return operand.sliced = true;
  if (is_one_of(node, {"aten::detach"})) return operand.detached = true;
  if (is_one_of(node, {"aten::select"})) return select_index(node, operand);
  if (is_one_of(node, {"aten::unsqueeze"})) return add_dimension(node, operand);
  if (is_one_of(node, {"aten::slice"})) {
    operand.sliced |= !is_whole_slice(node);
    return true;
  }
  const auto divisor = node->inputs().size() > 1 ? node->input(1)->node()->kind() : torch::jit::prim::Constant;
  operand.normalised |= is_one_of(node, {"aten::div"}) && divisor != torch::jit::prim::Constant;
  return scales(node);
}

// What people do to a weight before they use it is not longer than this; a residual stream, which looks like one at
// each of its sums, is.
constexpr int kDeepest = 12;

std::optional<WeightOperand> operand_at(Value* value, const Scope& scope, int deepest) {
  Node* node = value->node();
  if (node->kind() == torch::jit::prim::GetAttr) return parameter_at(value, scope);
  if (node->kind() == torch::jit::prim::Constant) return constant_at(value);
  if (deepest == 0 || !may_be_seen_through(node)) return std::nullopt;
  // Of the operands of a product with a scale, the weight is the one with two dimensions or more.
  const std::size_t tried = is_one_of(node, {"aten::mul", "aten::add"}) ? 2 : 1;
  for (std::size_t i = 0; i < std::min(node->inputs().size(), tried); ++i) {
    auto operand = operand_at(node->input(i), scope, deepest - 1);
    if (operand && operand->dims.size() >= 2 && see_through(node, *operand)) return operand;
  }
  return std::nullopt;
}

}  // namespace

// What has no numbers has no directions either: an adapter of rank 0, an SAE without features.
std::optional<WeightOperand> weight_operand(Value* value, const Scope& scope) {
  auto operand = operand_at(value, scope, kDeepest);
  return operand && operand->tensor.numel() > 0 ? operand : std::nullopt;
}

}  // namespace saetap::hooks

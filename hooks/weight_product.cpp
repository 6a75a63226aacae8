#include "hooks/weight_product.h"

#include <algorithm>
#include <numeric>

#include "hooks/data_flow.h"
#include "hooks/pair_product.h"

namespace saetap::hooks {

using torch::jit::Node;
using torch::jit::Value;

namespace {

// Dimensions of the weight as the product sees it, by what becomes of them.
struct Roles {
  std::vector<std::size_t> groups, in, out;
};

std::int64_t size_of(const WeightOperand& weight, const std::vector<std::size_t>& dims) {
  return std::accumulate(dims.begin(), dims.end(), std::int64_t{1},
                         [&](std::int64_t size, std::size_t dim) { return size * weight.size(dim); });
}

void set_layout(WeightProduct& product, const Roles& roles) {
  const auto& weight = product.weight;
  auto& layout = product.layout;
  layout.selected = weight.selected;
  for (const auto* dims : {&roles.groups, &roles.in, &roles.out}) {
    for (const auto dim : *dims) {
      if (weight.dims[dim] >= 0) layout.order.push_back(weight.dims[dim]);
    }
  }
  layout.groups = size_of(weight, roles.groups);
  layout.in = size_of(weight, roles.in);
  layout.out = size_of(weight, roles.out);
  product.row_width = weight.size(roles.in.back());
}

// x W with the last dimension of x, W [groups..., in, out] or, transposed, [groups..., out, in].
Roles matrix_roles(const WeightOperand& weight, bool out_in) {
  const auto rank = weight.dims.size();
  Roles roles;
  for (std::size_t dim = 0; dim + 2 < rank; ++dim) roles.groups.push_back(dim);
  roles.in = {out_in ? rank - 1 : rank - 2};
  roles.out = {out_in ? rank - 2 : rank - 1};
  return roles;
}

std::optional<WeightProduct> matrix_product(Node* node, Value* left, Value* right, const Scope& scope) {
  WeightProduct product;
  product.node = node;
  bool weight_on_the_left = false;
  auto weight = weight_operand(right, scope);
  product.activation = left;
  if (!weight) {
    weight = weight_operand(left, scope);  // W x: x [..., in, rows]
    product.activation = right;
    weight_on_the_left = true;
  }
  if (!weight || weight->dims.size() < 2) return std::nullopt;
  product.weight = std::move(*weight);
  const auto roles = matrix_roles(product.weight, weight_on_the_left);
  set_layout(product, roles);
  product.in_axis = weight_on_the_left ? -2 : -1;
  if (!roles.groups.empty() && product.layout.groups > 1) product.group_axis = -3;
  return product;
}

std::optional<WeightProduct> linear(Node* node, const Scope& scope) {
  auto weight = weight_operand(node->input(1), scope);
  if (!weight || weight->dims.size() != 2) return std::nullopt;
  WeightProduct product;
  product.node = node;
  product.activation = node->input(0);
  product.weight = std::move(*weight);
  set_layout(product, matrix_roles(product.weight, true));
  return product;
}

// The place of a letter in an operand that may have an ellipsis: counted from the end behind it, and without one.
std::int64_t axis_of(const std::string& letters, char letter) {
  const auto at = static_cast<std::int64_t>(letters.find(letter));
  const auto dots = letters.find('.');
  if (dots != std::string::npos && at < static_cast<std::int64_t>(dots)) return at;
  return at - static_cast<std::int64_t>(letters.size());
}

struct Equation {
  std::string operands[2];
  std::string result;
};

std::optional<Equation> parsed(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const auto comma = text.find(',');
  const auto arrow = text.find("->");
  if (comma == std::string::npos || arrow == std::string::npos || text.find(',', comma + 1) != std::string::npos) {
    return std::nullopt;
  }
  return Equation{{text.substr(0, comma), text.substr(comma + 1, arrow - comma - 1)}, text.substr(arrow + 2)};
}

std::optional<Roles> roles_in(const Equation& equation, std::size_t weight_at) {
  const auto& weight = equation.operands[weight_at];
  const auto& other = equation.operands[1 - weight_at];
  Roles roles;
  for (std::size_t dim = 0; dim < weight.size(); ++dim) {
    const bool in_other = other.find(weight[dim]) != std::string::npos;
    const bool in_result = equation.result.find(weight[dim]) != std::string::npos;
    if (weight[dim] == '.' || (!in_other && !in_result)) return std::nullopt;
    (in_other ? in_result ? roles.groups : roles.in : roles.out).push_back(dim);
  }
  if (roles.in.empty() || roles.out.empty()) return std::nullopt;
  return roles;
}

std::optional<WeightProduct> einsum(Node* node, const Scope& scope) {
  const auto text = torch::jit::constant_as<std::string>(node->input(0));
  const auto equation = text ? parsed(*text) : std::nullopt;
  const auto operands = node->input(1)->node()->inputs();
  if (!equation || operands.size() != 2) return std::nullopt;
  for (const std::size_t weight_at : {1, 0}) {
    auto weight = weight_operand(operands[weight_at], scope);
    const auto roles = roles_in(*equation, weight_at);
    const auto& letters = equation->operands[weight_at];
    if (!weight || !roles || weight->dims.size() != letters.size()) continue;
    WeightProduct product;
    product.node = node;
    product.activation = operands[1 - weight_at];
    product.weight = std::move(*weight);
    set_layout(product, *roles);
    const auto& other = equation->operands[1 - weight_at];
    product.in_axis = axis_of(other, letters[roles->in.back()]);
    // Features summed over layers as well, "lnf,lfd->nd", are a stack all the same.
    const bool stack = !roles->groups.empty() || roles->in.size() > 1;
    const auto group = roles->groups.empty() ? roles->in.front() : roles->groups.front();
    if (stack) product.group_axis = axis_of(other, letters[group]);
    product.operation = "einsum " + *text;
    return product;
  }
  return std::nullopt;
}

std::optional<WeightProduct> product_of(Node* node, const Scope& scope) {
  if (auto product = pair_product(node, scope)) return product;
  if (is_one_of(node, {"aten::linear"})) return linear(node, scope);
  if (is_one_of(node, {"aten::einsum"})) return einsum(node, scope);
  if (is_one_of(node, {"aten::matmul", "aten::mm", "aten::bmm", "aten::_sparse_mm", "aten::sparse_mm", "aten::smm"})) {
    return matrix_product(node, node->input(0), node->input(1), scope);
  }
  if (is_one_of(node, {"aten::addmm", "aten::baddbmm"})) {
    return matrix_product(node, node->input(1), node->input(2), scope);
  }
  return std::nullopt;
}

}  // namespace

namespace {

// Trainers that shard a model give the memory of a parameter up between its uses, and leave its shape as it was.
bool has_its_memory(const at::Tensor& parameter) {
  const auto needed = at::detail::computeStorageNbytes(parameter.sizes(), parameter.strides(), parameter.itemsize(),
                                                       static_cast<std::size_t>(parameter.storage_offset()));
  return parameter.has_storage() && parameter.storage().nbytes() >= needed;
}

}  // namespace

at::Tensor WeightLayout::matrices(const at::Tensor& parameter) const {
  if (!parameter.defined() || parameter.layout() != at::kStrided ||
      parameter.dim() != static_cast<std::int64_t>(order.size() + selected.size()) || !has_its_memory(parameter)) {
    return {};
  }
  // What is selected goes to the front, and is then taken away.
  std::vector<std::int64_t> dims;
  for (const auto& [dim, index] : selected) dims.push_back(dim);
  dims.insert(dims.end(), order.begin(), order.end());
  auto matrices = parameter.detach().permute(dims);
  for (const auto& [dim, index] : selected) {
    if (index >= matrices.size(0)) return {};
    matrices = matrices.select(0, index);
  }
  if (matrices.numel() != groups * in * out) return {};
  return matrices.reshape({groups, in, out});
}

std::optional<WeightProduct> weight_product(Node* node, const Scope& scope) {
  auto product = product_of(node, scope);
  if (product && product->operation.empty()) {
    product->operation = std::string(node->kind().toUnqualString());
  }
  return product;
}

}  // namespace saetap::hooks

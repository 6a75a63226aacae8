#include "hooks/data_flow.h"

#include <algorithm>

namespace saetap::hooks {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

namespace {

// The element that unpacking a list or tuple gives, where it was packed in the same graph; torch.broadcast_tensors in
// between keeps every element by itself. Null if that is not so.
const Value* unpacked_element(const Value* value) {
  const Node* unpack = value->node();
  if (!is_one_of(unpack, {"prim::ListUnpack", "prim::TupleUnpack"})) return nullptr;
  const Node* list = unpack->input()->node();
  if (is_one_of(list, {"aten::broadcast_tensors"})) list = list->input()->node();
  const bool packed = is_one_of(list, {"prim::ListConstruct", "prim::TupleConstruct"}) &&
                      list->inputs().size() == unpack->outputs().size();
  return packed ? list->input(value->offset()) : nullptr;
}

bool adds_to_list(const Node* node) {
  return is_one_of(node, {"aten::append", "aten::insert", "aten::extend", "aten::_set_item"});
}

// Takes of its input the shape alone.
bool is_noise(const Node* node) {
  return is_one_of(node, {"aten::rand_like", "aten::randn_like", "aten::ones_like"});
}

bool spread(Block* block, Values& reached) {
  const auto is_reached = [&](const Value* v) { return reached.count(v) != 0; };
  const auto reach = [&](const Value* output) {
    const auto* element = unpacked_element(output);
    if (element == nullptr || is_reached(element)) reached.insert(output);
  };
  bool any = false;
  // One pass is enough, for nodes stand in the order of their data.
  for (Node* node : block->nodes()) {
    bool hit = std::any_of(node->inputs().begin(), node->inputs().end(), is_reached);
    for (Block* inner : node->blocks()) {
      if (hit) reached.insert(inner->inputs().begin(), inner->inputs().end());
      hit = spread(inner, reached) || hit;
      hit = hit || std::any_of(inner->outputs().begin(), inner->outputs().end(), is_reached);
    }
    if (!hit || is_noise(node)) continue;
    std::for_each(node->outputs().begin(), node->outputs().end(), reach);
    if (adds_to_list(node)) reached.insert(node->input(0));
    any = true;
  }
  return any;
}

// An operation of ATen that ends in "_" changes its first input.
bool writes_first_input(const Node* node) {
  if (adds_to_list(node)) return true;
  const std::string_view kind = node->kind().toQualString();
  return kind.rfind("aten::", 0) == 0 && kind.back() == '_' && kind.substr(kind.size() - 2) != "__";
}

bool makes_view(const Node* node) {
  return is_one_of(node, {"aten::view", "aten::reshape", "aten::slice", "aten::select", "aten::narrow", "aten::t",
                          "aten::transpose", "aten::permute", "aten::unsqueeze", "aten::squeeze", "aten::flatten",
                          "aten::detach", "aten::alias", "aten::expand", "aten::view_as", "aten::contiguous"});
}

// Calls f with every node that changes `value`, or a view of it, in place.
template <typename F>
void for_each_writer(const Value* value, const F& f) {
  for (const auto& use : value->uses()) {
    if (use.offset != 0) continue;
    if (writes_first_input(use.user)) {
      f(use.user);
      if (use.user->outputs().size() == 1) for_each_writer(use.user->output(), f);
    } else if (makes_view(use.user)) {
      for_each_writer(use.user->output(), f);
    }
  }
}

// The values that `value` is computed from in one step.
std::vector<const Value*> made_from(const Value* value) {
  const Node* node = value->node();
  std::vector<const Value*> from(node->inputs().begin(), node->inputs().end());
  if (node->kind() == torch::jit::prim::Param) {
    const Node* outer =
        node->owningBlock()->owningNode();  // a loop, if any: what enters it, and what its body hands on
    if (outer == nullptr) return {};
    from.assign(outer->inputs().begin(), outer->inputs().end());
    const auto returned = node->owningBlock()->outputs();
    from.insert(from.end(), returned.begin(), returned.end());
    return from;
  }
  if (const auto* element = unpacked_element(value)) return {element};
  for (const Block* block : node->blocks()) {
    const auto skipped = block->outputs().size() - node->outputs().size();  // a loop's body returns its condition first
    from.push_back(block->outputs()[value->offset() + skipped]);
  }
  return from;
}

// Operations that act on every row by itself. Slices, transposes and the like are not among them: after them it is
// other rows.
bool acts_on_each_row(const Node* node) {
  return is_one_of(node, {"aten::sub",
                          "aten::sub_",
                          "aten::add",
                          "aten::add_",
                          "aten::mul",
                          "aten::mul_",
                          "aten::div",
                          "aten::div_",
                          "aten::rsub",
                          "aten::neg",
                          "aten::to",
                          "aten::type_as",
                          "aten::float",
                          "aten::detach",
                          "aten::contiguous",
                          "aten::clone",
                          "aten::alias",
                          "aten::view",
                          "aten::reshape",
                          "aten::flatten",
                          "aten::dropout",
                          "aten::layer_norm",
                          "aten::native_layer_norm",
                          "aten::rms_norm",
                          "aten::mean",
                          "aten::var",
                          "aten::std",
                          "aten::norm",
                          "aten::linalg_vector_norm",
                          "aten::linalg_norm",
                          "aten::sum",
                          "aten::pow",
                          "aten::square",
                          "aten::sqrt",
                          "aten::rsqrt",
                          "aten::reciprocal",
                          "aten::clamp_min",
                          "aten::clamp",
                          "aten::expand",
                          "aten::expand_as",
                          "aten::unsqueeze",
                          "aten::var_mean",
                          "aten::std_mean",
                          "aten::identity",
                          "aten::_autocast_to_reduced_precision",
                          "aten::_autocast_to_full_precision"});
}

std::vector<Value*> tensors_from_input(Node* node, const Values& from_input) {
  std::vector<Value*> inputs;
  for (auto* input : node->inputs()) {
    const bool is_tensor = input->type()->isSubtypeOf(*c10::TensorType::get());
    const bool is_new = std::find(inputs.begin(), inputs.end(), input) == inputs.end();
    if (is_tensor && is_new && from_input.count(input) != 0) inputs.push_back(input);
  }
  return inputs;
}

void add_sources(Value* value, const Values& from_input, Values& seen, std::unordered_set<Value*>& sources) {
  if (const auto* element = unpacked_element(value)) value = const_cast<Value*>(element);
  if (!seen.insert(value).second) return;
  const auto inputs = tensors_from_input(value->node(), from_input);
  if (!acts_on_each_row(value->node()) || inputs.empty()) {
    sources.insert(value);
    return;
  }
  for (auto* input : inputs) add_sources(input, from_input, seen, sources);
}

const Node* ancestor_in(const Node* node, const Block* block) {
  while (node != nullptr && node->owningBlock() != block) node = node->owningBlock()->owningNode();
  return node;
}

}  // namespace

bool is_one_of(const Node* node, std::initializer_list<std::string_view> kinds) {
  const std::string_view kind = node->kind().toQualString();
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

Values downstream_of(Graph& graph, at::ArrayRef<Value*> sources) {
  Values reached(sources.begin(), sources.end());
  spread(graph.block(), reached);
  return reached;
}

bool reaches_return(const Graph& graph, const Values& reached) {
  return std::any_of(graph.outputs().begin(), graph.outputs().end(),
                     [&](const Value* v) { return reached.count(v) != 0; });
}

Upstream upstream_of(Value* value, const Node* reader, const Nodes& stops) {
  Upstream upstream;
  std::vector<const Value*> open{value};
  while (!open.empty()) {
    const Value* next = open.back();
    open.pop_back();
    if (!upstream.values.insert(next).second) continue;
    if (stops.count(next->node()) != 0) {
      upstream.stopped_at.insert(next->node());
      continue;
    }
    if (next->node()->kind() != torch::jit::prim::Param) upstream.nodes.insert(next->node());
    for (const auto* from : made_from(next)) open.push_back(from);
    for_each_writer(next, [&](Node* writer) {
      if (writer == reader || !writer->isBefore(reader)) return;
      upstream.nodes.insert(writer);
      for (auto* input : writer->inputs()) open.push_back(input);
    });
  }
  return upstream;
}

bool changed_in_place(const Value* value, const Nodes& allowed) {
  bool changed = false;
  for_each_writer(value, [&](const Node* writer) { changed |= allowed.count(writer) == 0; });
  return changed;
}

Value* rows_before(Value* operand, const Values& from_input) {
  Values seen;
  std::unordered_set<Value*> sources;
  add_sources(operand, from_input, seen, sources);
  if (sources.size() == 1) return *sources.begin();
  // A residual stream and the like: back to where two values meet.
  Value* rows = operand;
  while (acts_on_each_row(rows->node())) {
    const auto inputs = tensors_from_input(rows->node(), from_input);
    if (inputs.size() != 1) break;
    rows = inputs.front();
  }
  return rows;
}

Value* without_casts(Value* value) {
  while (is_one_of(value->node(), {"aten::to", "aten::_autocast_to_reduced_precision", "aten::type_as",
                                   "aten::_autocast_to_full_precision", "aten::contiguous", "aten::float"})) {
    value = value->node()->input(0);
  }
  return value;
}

bool same_value(const Value* a, const Value* b) {
  if (a == b) return true;
  const Node* one = a->node();
  const Node* other = b->node();
  if (one->kind() != other->kind() || one->inputs().size() != other->inputs().size()) return false;
  if (one->kind() == torch::jit::prim::Constant) {
    const auto left = torch::jit::toIValue(a), right = torch::jit::toIValue(b);
    return left && right && left->isInt() && right->isInt() && left->toInt() == right->toInt();
  }
  if (!makes_view(one)) return false;
  return std::equal(one->inputs().begin(), one->inputs().end(), other->inputs().begin(), same_value);
}

bool is_given(const Value* value) {
  while (makes_view(value->node()) || is_one_of(value->node(), {"prim::ListUnpack", "aten::unbind", "aten::split",
                                                                "aten::chunk", "aten::__getitem__"})) {
    value = value->node()->input(0);
  }
  return value->node()->kind() == torch::jit::prim::Param;
}

bool visible_at(const Value* value, const Node* node) {
  for (const Block* block = node->owningBlock(); block != nullptr;) {
    if (value->node()->owningBlock() == block) return true;
    const Node* outer = block->owningNode();
    block = outer != nullptr ? outer->owningBlock() : nullptr;
  }
  return false;
}

bool exclude_each_other(const Node* a, const Node* b) {
  for (const Block* block = a->owningBlock(); block != nullptr;) {
    const Node* above_a = ancestor_in(a, block);
    const Node* above_b = ancestor_in(b, block);
    if (above_b != nullptr) {
      if (above_a != above_b || above_a == nullptr || above_a->kind() != torch::jit::prim::If) return false;
      // Both inside the same node and not in the same block of it, or a deeper block would have been common.
      return true;
    }
    const Node* outer = block->owningNode();
    block = outer != nullptr ? outer->owningBlock() : nullptr;
  }
  return false;
}

}  // namespace saetap::hooks

#include "hooks/scope.h"

#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/passes/lower_tuples.h>

namespace saetap::hooks {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

namespace {

void add_forked_scopes(Block* block, std::size_t outer, std::vector<Scope>& scopes) {
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) add_forked_scopes(inner, outer, scopes);
    if (node->kind() != torch::jit::prim::fork || !node->hasAttribute(torch::jit::attr::Subgraph)) continue;
    const auto graph = node->g(torch::jit::attr::Subgraph);
    torch::jit::Inline(*graph);
    torch::jit::LowerSimpleTuples(graph);
    Scope scope;
    scope.graph = graph.get();
    for (std::size_t i = 0; i < std::min(node->inputs().size(), graph->inputs().size()); ++i) {
      if (auto object = object_at(node->input(i), scopes[outer])) scope.inputs.emplace(graph->inputs()[i], *object);
    }
    scopes.push_back(std::move(scope));
    add_forked_scopes(graph->block(), scopes.size() - 1, scopes);
  }
}

void add_interface_calls(Block* block, const Scope& scope, std::vector<InterfaceCall>& calls) {
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) add_interface_calls(inner, scope, calls);
    if (node->kind() != torch::jit::prim::CallMethod) continue;
    const auto callee = object_at(node->input(0), scope);
    auto* method = callee ? callee->object->type()->findMethod(node->s(torch::jit::attr::name)) : nullptr;
    if (method != nullptr) calls.push_back({*callee, method});
  }
}

}  // namespace

std::shared_ptr<Graph> graph_of(torch::jit::Function& method) {
  auto* function = torch::jit::tryToGraphFunction(method);
  if (function == nullptr) return nullptr;
  function->ensure_defined();
  return function->optimized_graph()->copy();
}

std::vector<InterfaceCall> interface_calls(const Scope& scope) {
  std::vector<InterfaceCall> calls;
  add_interface_calls(scope.graph->block(), scope, calls);
  return calls;
}

std::string joined_path(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

std::optional<PlacedObject> object_at(const Value* value, const Scope& scope) {
  if (const auto input = scope.inputs.find(value); input != scope.inputs.end()) return input->second;
  const Node* node = value->node();
  if (node->kind() != torch::jit::prim::GetAttr) return std::nullopt;
  const auto holder = object_at(node->input(0), scope);
  const auto& name = node->s(torch::jit::attr::name);
  if (!holder || !holder->object->type()->findAttributeSlot(name)) return std::nullopt;
  const auto attribute = holder->object->getAttr(name);
  if (!attribute.isObject()) return std::nullopt;
  return PlacedObject{&attribute.toObjectRef(), joined_path(holder->path, name)};
}

std::vector<Scope> scopes_of(Graph& graph, const c10::ivalue::Object& self) {
  std::vector<Scope> scopes(1);
  scopes[0].graph = &graph;
  if (!graph.inputs().empty()) scopes[0].inputs.emplace(graph.inputs()[0], PlacedObject{&self, ""});
  add_forked_scopes(graph.block(), 0, scopes);
  return scopes;
}

}  // namespace saetap::hooks

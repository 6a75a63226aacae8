// A graph together with the objects that its inputs stand for, so that a chain of GetAttr can be followed to a
// parameter.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "hooks/libtorch.h"

namespace saetap::hooks {

// An object of the module tree as of the analysis.
struct PlacedObject {
  const c10::ivalue::Object* object = nullptr;
  std::string path;  // from the method's own module, "encoder.layers.3"; empty: the module itself
};

struct Scope {
  torch::jit::Graph* graph = nullptr;
  std::unordered_map<const torch::jit::Value*, PlacedObject> inputs;  // those that are objects
};

// A copy of what the method runs in the current autocast state, inlined; null if it has no graph.
[[nodiscard]] std::shared_ptr<torch::jit::Graph> graph_of(torch::jit::Function& method);

// The scope of a method's graph, `self` being its first input, and those of the graphs that prim::fork runs inside it.
// The graphs inside prim::fork are inlined in place, as LibTorch itself does before running them.
[[nodiscard]] std::vector<Scope> scopes_of(torch::jit::Graph& graph, const c10::ivalue::Object& self);

// The object that `value` stands for, if it is an input or reached from one by GetAttr.
[[nodiscard]] std::optional<PlacedObject> object_at(const torch::jit::Value* value, const Scope& scope);

// A call that stays a call when a graph is inlined: of a submodule behind an interface type.
struct InterfaceCall {
  PlacedObject callee;
  torch::jit::Function* method = nullptr;
};
[[nodiscard]] std::vector<InterfaceCall> interface_calls(const Scope& scope);

// "W_dec" inside "sae" is "sae.W_dec".
[[nodiscard]] std::string joined_path(const std::string& path, const std::string& name);

}  // namespace saetap::hooks

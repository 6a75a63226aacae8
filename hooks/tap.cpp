#include "hooks/tap.h"

#include <atomic>
#include <stdexcept>

namespace saetap::hooks {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Stack;
using torch::jit::Value;

namespace {

std::atomic<TapSink*> current_sink{nullptr};
thread_local bool inside_tap = false;

Phase phase_of(const c10::IValue& owner, bool grad_enabled) {
  if (!grad_enabled) return Phase::eval;
  if (!owner.isObject()) return Phase::train;
  const auto& object = owner.toObjectRef();
  const auto slot = object.type()->findAttributeSlot("training");  // traced and frozen modules may lack it
  const bool in_eval = slot && object.getSlot(*slot).isBool() && !object.getSlot(*slot).toBool();
  return in_eval ? Phase::eval : Phase::train;
}

at::Tensor tensor_or_none(const c10::IValue& value) {
  return value.isTensor() ? value.toTensor() : at::Tensor();
}

void run_feature_tap(Stack& stack) {
  const auto tap = torch::jit::pop(stack).toInt();
  torch::jit::pop(stack);  // the ledger
  const auto owner = torch::jit::pop(stack);
  const auto rows = tensor_or_none(torch::jit::pop(stack));
  const auto indices = tensor_or_none(torch::jit::pop(stack));
  const auto values = torch::jit::pop(stack).toTensor();
  auto* sink = current_sink.load(std::memory_order_acquire);
  if (sink == nullptr || inside_tap) return;
  const bool grad_enabled = at::GradMode::is_enabled();
  const QuietCall quiet;
  sink->on_features({static_cast<int>(tap), values, indices, rows, owner, grad_enabled, phase_of(owner, grad_enabled)});
}

void run_stream_tap(Stack& stack) {
  const auto tap = torch::jit::pop(stack).toInt();
  torch::jit::pop(stack);  // the ledger
  const auto returned = torch::jit::pop(stack);
  const auto mask = torch::jit::pop(stack).toOptional<at::Tensor>().value_or(at::Tensor());
  const auto tokens = torch::jit::pop(stack).toTensor();
  auto* sink = current_sink.load(std::memory_order_acquire);
  if (sink == nullptr || inside_tap) return;
  const QuietCall quiet;
  sink->on_stream({static_cast<int>(tap), tokens, mask, returned});
}

// What a ledger is does not matter, as long as no module has a value of its type.
const c10::TypePtr& ledger_type() {
  static const c10::TypePtr type = c10::DictType::create(
      c10::StringType::get(), c10::DictType::create(c10::StringType::get(), c10::DeviceObjType::get()));
  return type;
}

void make_ledger(Stack& stack) {
  const auto dict = ledger_type()->expect<c10::DictType>();
  stack.emplace_back(c10::impl::GenericDict(dict->getKeyType(), dict->getValueType()));
}

constexpr auto kTapName = "saetap::tap";
constexpr auto kLedger = "saetap::ledger() -> Dict(str, Dict(str, Device))(*)";
constexpr auto kFeatureTap =
    "saetap::tap(Tensor values, Tensor? indices, Tensor? rows, Any owner, Dict(str, Dict(str, Device))(a!) ledger, int "
    "tap) -> ()";
constexpr auto kStreamTap =
    "saetap::tap_stream(Tensor tokens, Tensor? mask, Any returned, Dict(str, Dict(str, Device))(a!) ledger, int tap) "
    "-> "
    "()";

// Never unregistered: calls may be in flight on any thread until the process ends.
void register_operators() {
  if (!torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(kTapName)).empty()) {
    throw std::runtime_error("another copy of libsaetap.so is loaded in this process");
  }
  new torch::jit::RegisterOperators({
      torch::jit::Operator(kLedger, make_ledger, c10::AliasAnalysisKind::FROM_SCHEMA),
      torch::jit::Operator(kFeatureTap, run_feature_tap, c10::AliasAnalysisKind::FROM_SCHEMA),
      torch::jit::Operator(kStreamTap, run_stream_tap, c10::AliasAnalysisKind::FROM_SCHEMA),
  });
}

void insert_tap(Node* before, const char* operation, std::vector<Value*> inputs, int tap) {
  register_taps();
  Graph& graph = *before->owningGraph();
  const torch::jit::WithInsertPoint here(before);
  for (auto*& input : inputs) {
    if (input == nullptr) input = graph.insertConstant(c10::IValue());
  }
  auto* ledger = graph.insertNode(graph.create(c10::Symbol::fromQualString("saetap::ledger"), 1))->output();
  ledger->setType(ledger_type());
  inputs.push_back(ledger);
  inputs.push_back(graph.insertConstant(tap));
  graph.insertNode(graph.create(c10::Symbol::fromQualString(operation), inputs, 0));
}

}  // namespace

QuietCall::QuietCall() : within_(inside_tap), no_autocast_(c10::autocast_dispatch_keyset) {
  inside_tap = true;
}

QuietCall::~QuietCall() {
  inside_tap = within_;
}

void register_taps() {
  static const bool once = [] {
    register_operators();
    return true;
  }();
  static_cast<void>(once);
}

void set_tap_sink(TapSink* sink) {
  current_sink.store(sink, std::memory_order_release);
}

void insert_feature_tap(const FeatureSite& site, int tap) {
  for (const auto& point : site.points) {
    const auto inputs = point.before->owningGraph()->inputs();
    auto* owner = point.owner != nullptr || inputs.empty() ? point.owner : inputs[0];
    insert_tap(point.before, kTapName, {point.values, point.indices, point.rows, owner}, tap);
  }
}

void insert_stream_tap(Graph& graph, const TokenInputs& inputs, int tap) {
  insert_tap(graph.return_node(), "saetap::tap_stream", {inputs.tokens, inputs.mask, graph.outputs()[0]}, tap);
}

void insert_rows_tap(const FeatureSite& site, const TokenInputs& inputs, int tap) {
  for (const auto& point : site.points) {
    const bool made_here = point.rows != nullptr && point.rows->node()->kind() != torch::jit::prim::Param;
    if (!made_here || point.before->owningGraph() != inputs.tokens->owningGraph()) continue;
    insert_tap(point.before, "saetap::tap_stream", {inputs.tokens, inputs.mask, point.rows}, tap);
  }
}

}  // namespace saetap::hooks

#include "hooks/tap.h"

#include <atomic>

namespace saetap::hooks {

using torch::jit::Graph;
using torch::jit::Stack;
using torch::jit::Value;

namespace {

std::atomic<TapSink*> current_sink{nullptr};

// What a tap must not disturb, or be disturbed by: gradients, autocast, and our own observer.
struct QuietCall {
  at::NoGradGuard no_grad;
  at::DisableRecordFunctionGuard no_record_function;
  c10::impl::ExcludeDispatchKeyGuard no_autocast{c10::autocast_dispatch_keyset};
};

void run_feature_tap(Stack& stack) {
  const auto tap = torch::jit::pop(stack).toInt();
  const auto owner = torch::jit::pop(stack);
  const auto rows = torch::jit::pop(stack).toTensor();
  const auto features = torch::jit::pop(stack).toTensor();
  auto* sink = current_sink.load(std::memory_order_acquire);
  if (sink == nullptr) return;
  const bool grad_enabled = at::GradMode::is_enabled();
  const QuietCall quiet;
  sink->on_features({static_cast<int>(tap), features, rows, owner, grad_enabled});
}

void run_stream_tap(Stack& stack) {
  const auto tap = torch::jit::pop(stack).toInt();
  torch::jit::pop(stack);  // the owner: only there so that the operator is kept
  const auto returned = torch::jit::pop(stack);
  const auto tokens = torch::jit::pop(stack).toTensor();
  auto* sink = current_sink.load(std::memory_order_acquire);
  if (sink == nullptr) return;
  const QuietCall quiet;
  sink->on_stream({static_cast<int>(tap), tokens, returned});
}

constexpr auto kFeatureTap = "saetap::tap(Tensor features, Tensor rows, Any(a!) owner, int tap) -> ()";
constexpr auto kStreamTap = "saetap::tap_stream(Tensor tokens, Any returned, Any(a!) owner, int tap) -> ()";

const torch::jit::RegisterOperators register_taps({
    torch::jit::Operator(kFeatureTap, run_feature_tap, c10::AliasAnalysisKind::FROM_SCHEMA),
    torch::jit::Operator(kStreamTap, run_stream_tap, c10::AliasAnalysisKind::FROM_SCHEMA),
});

void insert_tap(Graph& graph, const char* operation, at::ArrayRef<Value*> read, Value* owner, int tap) {
  std::vector<Value*> inputs(read.begin(), read.end());
  inputs.push_back(owner);
  inputs.push_back(graph.insertConstant(tap));
  graph.insertNode(graph.create(c10::Symbol::fromQualString(operation), inputs, 0));
}

}  // namespace

void set_tap_sink(TapSink* sink) {
  current_sink.store(sink, std::memory_order_release);
}

void insert_feature_tap(Graph& graph, const FeatureSite& site, int tap) {
  const torch::jit::WithInsertPoint before_decoder(site.decoder.node);
  auto* owner = site.decoder.weight.owner != nullptr ? site.decoder.weight.owner : graph.inputs()[0];
  insert_tap(graph, "saetap::tap", {site.features, site.rows}, owner, tap);
}

void insert_stream_tap(Graph& graph, Value* tokens, int tap) {
  const torch::jit::WithInsertPoint at_end(graph.return_node());
  insert_tap(graph, "saetap::tap_stream", {tokens, graph.outputs()[0]}, graph.inputs()[0], tap);
}

}  // namespace saetap::hooks

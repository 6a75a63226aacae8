#include "plugin/session/token_streams.h"

#include <algorithm>
#include <stdexcept>

#include "plugin/session/device_scan.h"
#include "plugin/session/float_rows.h"
#include "plugin/session/token_mask.h"

namespace saetap {

namespace {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Value;

bool holds_tokens(const c10::IValue& argument) {
  if (!argument.isTensor() || !argument.toTensor().defined()) return false;
  const auto& tensor = argument.toTensor();
  return tensor.dim() == 2 && (tensor.scalar_type() == at::kLong || tensor.scalar_type() == at::kInt);
}

// Follows views and casts back from the indices of an embedding.
Value* looked_up(Value* value) {
  while (value->node()->kind() != torch::jit::prim::Param) {
    if (value->node()->inputs().empty()) return nullptr;
    value = value->node()->input(0);
  }
  return value;
}

Value* embedded_input(torch::jit::Graph& graph, Block* block) {
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) {
      if (auto* found = embedded_input(graph, inner)) return found;
    }
    if (node->kind() != torch::jit::aten::embedding) continue;
    auto* input = looked_up(node->input(1));
    const auto& inputs = graph.inputs();
    if (input != nullptr && input != inputs[0] && std::find(inputs.begin(), inputs.end(), input) != inputs.end())
      return input;
  }
  return nullptr;
}

// Every tensor in a returned value, in order.
void tensors_in(const c10::IValue& value, std::vector<at::Tensor>& tensors) {
  if (value.isTensor()) {
    tensors.push_back(value.toTensor());
  } else if (value.isTuple()) {
    for (const auto& element : value.toTupleRef().elements()) tensors_in(element, tensors);
  } else if (value.isList()) {
    for (const auto& element : value.toListRef()) tensors_in(element, tensors);
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) tensors_in(entry.value(), tensors);
  }
}

bool has_a_row_per_token(const at::Tensor& tensor, std::int64_t batch, std::int64_t length) {
  if (!tensor.defined() || tensor.layout() != at::kStrided || !at::isFloatingType(tensor.scalar_type())) return false;
  if (tensor.dim() == 3) return tensor.size(0) == batch && tensor.size(1) == length && tensor.size(2) > 1;
  return tensor.dim() == 2 && tensor.size(0) == batch * length && tensor.size(1) > 1;
}

std::vector<std::int32_t> token_ids(const at::Tensor& tokens) {
  const auto ids = tokens.to(at::kCPU, at::kLong).contiguous();
  const auto* first = ids.const_data_ptr<std::int64_t>();
  std::vector<std::int32_t> narrow(static_cast<std::size_t>(ids.numel()));
  for (std::size_t i = 0; i < narrow.size(); ++i) {
    if (first[i] < INT32_MIN || first[i] > INT32_MAX) throw std::runtime_error("token ids do not fit into 32 bits");
    narrow[i] = static_cast<std::int32_t>(first[i]);
  }
  return narrow;
}

}  // namespace

hooks::TokenInputs token_inputs(const hooks::Meeting& meeting) {
  const auto& inputs = meeting.graph->inputs();
  hooks::TokenInputs found;
  found.mask = mask_input(meeting, nullptr);
  for (std::size_t i = 1; found.tokens == nullptr && i < std::min(inputs.size(), meeting.arguments.size()); ++i) {
    const bool is_tensor = inputs[i]->type()->isSubtypeOf(*c10::TensorType::get());
    if (is_tensor && inputs[i] != found.mask && holds_tokens(meeting.arguments[i])) found.tokens = inputs[i];
  }
  if (found.tokens == nullptr && meeting.arguments.size() < inputs.size()) {
    found.tokens = embedded_input(*meeting.graph, meeting.graph->block());
    if (found.mask == found.tokens) found.mask = mask_input(meeting, found.tokens);
  }
  if (found.tokens == nullptr) found.mask = nullptr;
  return found;
}

at::Device TokenStreamCall::device() const {
  for (const auto& output : outputs) {
    if (!output.rows.device().is_cpu()) return output.rows.device();
  }
  return tokens.device();
}

TokenStreamCall TokenStreamCall::to_host_later() const {
  auto here = *this;
  here.tokens = saetap::to_host_later(tokens);
  here.mask = saetap::to_host_later(mask);
  for (auto& output : here.outputs) output.rows = saetap::to_host_later(output.rows);
  return here;
}

std::optional<TokenStreamCall> read_token_stream(const hooks::StreamEvent& event,
                                                 const std::set<std::int64_t>& widths) {
  TokenStreamCall call{event.tokens, event.mask, {}, false};
  const auto& tokens = call.tokens;
  if (!tokens.defined() || tokens.dim() != 2 || tokens.numel() == 0 || !at::isIntegralType(tokens.scalar_type(), false))
    return std::nullopt;
  std::vector<at::Tensor> returned;
  tensors_in(event.returned, returned);
  call.several = returned.size() > 1;
  for (std::size_t number = 0; number < returned.size(); ++number) {
    const auto& rows = returned[number];
    if (!has_a_row_per_token(rows, tokens.size(0), tokens.size(1))) continue;
    if (!widths.empty() && widths.count(rows.size(-1)) == 0) continue;  // logits, for one
    call.outputs.push_back({number, rows});
  }
  return call;
}

void record_token_stream(const TokenStreamTap& model, const TokenStreamCall& call, Provenance& provenance) {
  const auto ids = token_ids(call.tokens);
  const auto attended = attended_tokens(call.mask, model.mask_marks_padding, call.tokens.size(0), call.tokens.size(1));
  const TokenMatrix matrix{ids, static_cast<std::size_t>(call.tokens.size(1)), attended};
  provenance.record_tokens(model.name, matrix);
  for (const auto& [number, rows] : call.outputs) {
    const auto stream = call.several ? model.name + " output " + std::to_string(number) : model.name;
    const FloatRows given(rows);
    provenance.record(stream, matrix, given.view());
  }
}

}  // namespace saetap

#include "plugin/session/token_mask.h"

#include <algorithm>
#include <cctype>
#include <string>

namespace saetap {

namespace {

std::string lower_name(const torch::jit::Value& value) {
  auto name = value.debugName();
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

bool may_be_tensor(const torch::jit::Value& value) {
  const auto tensor = c10::TensorType::get();
  return value.type()->isSubtypeOf(*tensor) || value.type()->isSubtypeOf(*c10::OptionalType::create(tensor));
}

// Scores to which this is added are as good as gone.
constexpr double kShutOut = -1e3;

}  // namespace

torch::jit::Value* mask_input(const hooks::Meeting& meeting, const torch::jit::Value* tokens) {
  const auto& inputs = meeting.graph->inputs();
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    if (inputs[i] == tokens || !may_be_tensor(*inputs[i])) continue;
    if (lower_name(*inputs[i]).find("mask") != std::string::npos) return inputs[i];
  }
  return nullptr;
}

bool marks_padding(const torch::jit::Value& mask) {
  return lower_name(mask).find("padding_mask") != std::string::npos;
}

std::vector<std::uint8_t> attended_tokens(const at::Tensor& mask, bool marks_padding, std::int64_t batch,
                                          std::int64_t length) {
  if (!mask.defined() || mask.dim() < 2 || mask.numel() != batch * length || mask.size(0) != batch ||
      mask.size(-1) != length || mask.layout() != at::kStrided || mask.is_meta())
    return {};
  at::Tensor attended;
  const auto flat = mask.reshape({-1}).to(at::kCPU);
  if (flat.scalar_type() == at::kBool) {
    attended = marks_padding ? flat.logical_not() : flat;
  } else {
    const auto values = flat.to(at::kDouble);
    if (values.eq(0).logical_or(values.eq(1)).all().item<bool>()) {
      attended = values.ne(0);
    } else if (values.eq(0).logical_or(values.lt(kShutOut)).all().item<bool>()) {
      attended = values.eq(0);
    } else {
      return {};
    }
  }
  if (!attended.any().item<bool>()) return {};
  const auto bytes = attended.to(at::kByte).contiguous();
  const auto* first = bytes.const_data_ptr<std::uint8_t>();
  return {first, first + bytes.numel()};
}

}  // namespace saetap

#include "plugin/session/tapped_call.h"

#include <algorithm>
#include <stdexcept>

namespace saetap {

namespace {

constexpr std::int64_t kNone = -1;

// An axis counted from either end, or kNone where the tensor has none such.
std::int64_t resolved(std::int64_t axis, const at::Tensor& tensor) {
  const auto at = axis < 0 ? axis + tensor.dim() : axis;
  return at >= 0 && at < tensor.dim() ? at : kNone;
}

// The axis of a stack's layers or instances in this call; kNone if all groups share the same features.
std::int64_t stack_axis(const FeatureTap& tap, const at::Tensor& values) {
  if (!tap.group_axis || tap.groups < 2) return kNone;
  const auto axis = resolved(*tap.group_axis, values);
  return axis != kNone && values.size(axis) == tap.groups ? axis : kNone;
}

at::Tensor matrix_of(const at::Tensor& tensor, std::int64_t feature_axis, std::int64_t width) {
  const auto matrix = tensor.movedim(feature_axis, -1).reshape({-1, width});
  const bool as_is = matrix.device().is_cpu() && matrix.scalar_type() == at::kFloat;
  const auto plain = as_is ? matrix : matrix.to(at::kCPU, at::kFloat);
  return plain.stride(1) == 1 ? plain : plain.contiguous();
}

void read_pairs(const FeatureTap& tap, const hooks::FeatureEvent& event, TappedCall& call) {
  const auto& values = event.values;
  if (!event.indices.defined() || values.dim() < 1 || values.sizes() != event.indices.sizes()) {
    throw std::runtime_error("values and indices of pairs differ in shape");
  }
  const auto per_row = values.size(-1);
  call.pair_values = values.reshape({-1, per_row}).to(at::kCPU, at::kFloat).contiguous();
  call.pair_indices = event.indices.reshape({-1, per_row}).to(at::kCPU, at::kLong).contiguous();
  if (tap.distinct_pairs) return;
  // What names a feature twice means the sum.
  call.features = at::zeros({call.rows, tap.site.features}).scatter_add_(1, call.pair_indices, call.pair_values);
  call.pair_values = call.pair_indices = at::Tensor();
}

// The rows that were given to the encoder, if there is one for each row of features.
at::Tensor inputs_of(const FeatureTap& tap, const hooks::FeatureEvent& event, const TappedCall& call,
                     std::int64_t axis) {
  auto rows = event.rows;
  if (!rows.defined() || rows.layout() != at::kStrided || rows.dim() < 1 || rows.numel() == 0) return {};
  if (call.group >= 0 && rows.dim() == event.values.dim() && rows.size(axis) == tap.groups) {
    rows = rows.select(axis, call.group);
  }
  const auto count = rows.numel() / rows.size(-1);
  if (count == call.rows) return rows;
  // A crosscoder reads the same token's row of every layer, [N, L, d] or [L, N, d]: the first one stands for it.
  if (rows.dim() < 3 || count % call.rows != 0) return {};
  const bool layers_inside = rows.size(0) == event.values.size(0) && rows.size(-2) * call.rows == count;
  if (layers_inside) return rows.select(-2, 0);
  return rows.size(0) * call.rows == count ? rows.select(0, 0) : at::Tensor();
}

}  // namespace

CallShape shape_of_call(const FeatureTap& tap, const hooks::FeatureEvent& event) {
  CallShape shape;
  const bool pairs = tap.form == hooks::CodeForm::pair;
  const auto axis = pairs ? kNone : stack_axis(tap, event.values);
  shape.stack = axis != kNone;
  shape.groups = shape.stack ? tap.groups : 1;
  const auto width = pairs ? event.values.size(-1) : tap.site.features;
  shape.rows = event.values.numel() / std::max<std::int64_t>(width, 1) / shape.groups;
  return shape;
}

TappedCall read_call(const FeatureTap& tap, const hooks::FeatureEvent& event, const CallShape& shape,
                     std::int64_t group) {
  TappedCall call;
  call.group = shape.stack ? group : -1;
  call.rows = shape.rows;
  if (!at::isFloatingType(event.values.scalar_type())) throw std::runtime_error("features are not floating-point");
  const auto axis = shape.stack ? stack_axis(tap, event.values) : kNone;
  if (tap.form == hooks::CodeForm::pair) {
    read_pairs(tap, event, call);
  } else {
    auto values = event.values.layout() == at::kStrided ? event.values : event.values.to_dense();
    const auto feature_axis = resolved(tap.feature_axis, values);
    if (feature_axis == kNone || values.size(feature_axis) != tap.site.features) {
      throw std::runtime_error("features have another width than the decoder");
    }
    const auto after_select = axis != kNone && axis < feature_axis ? feature_axis - 1 : feature_axis;
    if (axis != kNone) values = values.select(axis, group);
    call.features = matrix_of(values, after_select, tap.site.features);
  }
  call.inputs = inputs_of(tap, event, call, axis);
  return call;
}

}  // namespace saetap

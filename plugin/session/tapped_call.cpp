#include "plugin/session/tapped_call.h"

#include <algorithm>
#include <stdexcept>

namespace saetap {

namespace {

constexpr std::int64_t kNone = -1;
// Candidates number the rows of a call with 32 bits; and each takes memory of ours.
constexpr std::int64_t kMostRows = std::int64_t{1} << 31;

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

ScalarKind kind_of(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kDouble:
      return ScalarKind::float64;
    case at::kBFloat16:
      return ScalarKind::bfloat16;
    case at::kHalf:
      return ScalarKind::float16;
    default:
      return ScalarKind::float32;
  }
}

// Of a type that the scan reads; what is so already is not copied.
at::Tensor readable(const at::Tensor& values, ScanPlace place) {
  const auto here = place == ScanPlace::host ? values.to(at::kCPU) : values;
  const bool known = here.scalar_type() == at::kFloat || kind_of(here) != ScalarKind::float32;
  return known ? here : here.to(at::kFloat);
}

at::Tensor readable_indices(const at::Tensor& indices, ScanPlace place) {
  const auto here = place == ScanPlace::host ? indices.to(at::kCPU) : indices;
  return (here.scalar_type() == at::kInt ? here : here.to(at::kLong)).contiguous();
}

IndexKind index_kind_of(const at::Tensor& indices) {
  return indices.scalar_type() == at::kInt ? IndexKind::int32 : IndexKind::int64;
}

at::Tensor matrix_of(const at::Tensor& tensor, std::int64_t feature_axis, std::int64_t width, ScanPlace place) {
  const auto moved = tensor.movedim(feature_axis, -1);
  // Tokens cut off at the ends of sequences leave rows that are no matrix, which would be copied whole.
  const bool blocks = place == ScanPlace::host && moved.dim() == 3 && moved.size(0) > 1 && moved.size(1) > 1 &&
                      moved.stride(0) != moved.size(1) * moved.stride(1);
  return readable(blocks ? moved : moved.reshape({-1, width}), place);
}

void read_pairs(const FeatureTap& tap, const hooks::FeatureEvent& event, ScanPlace place, TappedCall& call) {
  const auto& values = event.values;
  if (!event.indices.defined() || values.dim() < 1 || values.sizes() != event.indices.sizes()) {
    throw std::runtime_error("values and indices of pairs differ in shape");
  }
  const auto per_row = values.size(-1);
  call.values = readable(values.reshape({call.rows, per_row}), place).contiguous();
  call.features = readable_indices(event.indices.reshape({call.rows, per_row}), place);
  if (tap.distinct_pairs) return;
  // What names a feature twice means the sum.
  call.dense = at::zeros({call.rows, tap.site.features}, call.values.options().dtype(at::kFloat))
                   .scatter_add_(1, call.features.to(at::kLong), call.values.to(at::kFloat));
  call.values = call.features = at::Tensor();
}

// Nobody looks at the indices of a sparse tensor when it is made, and what reads them takes them for places in memory.
void check_sparse(const at::Tensor& values) {
  const auto layout = values.layout();
  if (layout == at::kSparse) {
    at::_validate_sparse_coo_tensor_args(values._indices(), values._values(), values.sizes());
  } else if (layout == at::kSparseCsr || layout == at::kSparseBsr) {
    at::_validate_sparse_compressed_tensor_args(values.crow_indices(), values.col_indices(), values.values(),
                                                values.sizes(), layout);
  } else if (layout == at::kSparseCsc || layout == at::kSparseBsc) {
    at::_validate_sparse_compressed_tensor_args(values.ccol_indices(), values.row_indices(), values.values(),
                                                values.sizes(), layout);
  }
}

// A matrix [rows, F] in a sparse layout, row by row.
void read_sparse(at::Tensor matrix, std::int64_t feature_axis, TappedCall& call) {
  if (matrix.layout() == at::kSparse) {
    if (feature_axis == 0) matrix = matrix.transpose(0, 1);
    matrix = matrix.coalesce();  // what names an element twice means the sum; in the order of the rows
    const auto indices = matrix.indices();
    call.row_starts =
        readable_indices(at::_convert_indices_from_coo_to_csr(indices[0], matrix.size(0)), ScanPlace::host);
    call.features = readable_indices(indices[1], ScanPlace::host);
    call.values = readable(matrix.values(), ScanPlace::host).contiguous();
  } else {
    call.row_starts = readable_indices(matrix.crow_indices(), ScanPlace::host);
    call.features = readable_indices(matrix.col_indices(), ScanPlace::host);
    call.values = readable(matrix.values(), ScanPlace::host).contiguous();
  }
}

bool is_sparse_matrix(const at::Tensor& values, std::int64_t feature_axis) {
  if (values.dim() != 2) return false;
  if (values.layout() == at::kSparse) return values.sparse_dim() == 2;
  return values.layout() == at::kSparseCsr && feature_axis == 1;
}

// The rows that were given to the encoder, if there is one for each row of features.
at::Tensor inputs_of(const FeatureTap& tap, const hooks::FeatureEvent& event, const TappedCall& call,
                     std::int64_t axis) {
  auto rows = event.rows;
  if (!rows.defined() || rows.layout() != at::kStrided || rows.dim() < 1 || rows.numel() == 0) return {};
  const bool numbers = at::isFloatingType(rows.scalar_type()) || at::isIntegralType(rows.scalar_type(), true);
  if (!numbers || rows.is_meta()) return {};
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

Activations TappedCall::activations() const {
  if (dense.defined()) {
    DenseActivations view{dense.const_data_ptr(), rows,          dense.size(-1), dense.stride(-2),
                          dense.stride(-1),       kind_of(dense)};
    if (dense.dim() == 3) {
      view.rows_of_block = dense.size(1);
      view.block_stride = dense.stride(0);
    }
    return view;
  }
  if (row_starts.defined()) {
    return SparseActivations{values.const_data_ptr(), features.const_data_ptr(), row_starts.const_data_ptr(), rows,
                             kind_of(values),         index_kind_of(features)};
  }
  return PairActivations{values.const_data_ptr(), features.const_data_ptr(), rows,
                         values.size(1),          kind_of(values),           index_kind_of(features)};
}

void TappedCall::multiply(const at::Tensor& factors) {
  if (dense.defined()) {
    dense = dense * factors.to(dense.device());
  } else {
    values = (values * factors.to(values.device()).take(features.to(at::kLong))).to(at::kFloat).contiguous();
  }
}

std::int64_t rows_of_pairs(const at::Tensor& values) {
  return values.dim() < 1 ? 0 : c10::multiply_integers(values.sizes().slice(0, values.dim() - 1));
}

CallShape shape_of_call(const FeatureTap& tap, const hooks::FeatureEvent& event) {
  CallShape shape;
  const bool pairs = tap.form == hooks::CodeForm::pair;
  const auto axis = pairs ? kNone : stack_axis(tap, event.values);
  shape.stack = axis != kNone;
  shape.groups = shape.stack ? tap.groups : 1;
  if (pairs) {  // of which a row may have none
    shape.rows = rows_of_pairs(event.values);
  } else {
    shape.rows = event.values.numel() / std::max<std::int64_t>(tap.site.features, 1) / shape.groups;
  }
  return shape;
}

TappedCall read_call(const FeatureTap& tap, const hooks::FeatureEvent& event, const CallShape& shape,
                     std::int64_t group, ScanPlace place) {
  TappedCall call;
  call.group = shape.stack ? group : -1;
  call.rows = shape.rows;
  if (!at::isFloatingType(event.values.scalar_type())) throw std::runtime_error("features are not floating-point");
  if (event.values.is_meta()) throw std::runtime_error("features have a shape and no values (device meta)");
  if (shape.rows > kMostRows) throw std::runtime_error("a call has more than 2^31 rows");
  check_sparse(event.values);
  const auto axis = shape.stack ? stack_axis(tap, event.values) : kNone;
  if (tap.form == hooks::CodeForm::pair) {
    read_pairs(tap, event, place, call);
  } else {
    const auto feature_axis = resolved(tap.feature_axis, event.values);
    if (feature_axis == kNone || event.values.size(feature_axis) != tap.site.features) {
      throw std::runtime_error("features have another width than the decoder");
    }
    if (!shape.stack && is_sparse_matrix(event.values, feature_axis)) {
      read_sparse(event.values, feature_axis, call);
      call.inputs = inputs_of(tap, event, call, axis);
      return call;
    }
    auto values = event.values.layout() == at::kStrided ? event.values : event.values.to_dense();
    const auto after_select = axis != kNone && axis < feature_axis ? feature_axis - 1 : feature_axis;
    if (axis != kNone) values = values.select(axis, group);
    call.dense = matrix_of(values, after_select, tap.site.features, place);
  }
  call.inputs = inputs_of(tap, event, call, axis);
  return call;
}

}  // namespace saetap

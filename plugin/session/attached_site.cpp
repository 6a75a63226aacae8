#include "plugin/session/attached_site.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "plugin/log.h"
#include "plugin/session/fingerprints.h"
#include "plugin/store/half.h"

namespace saetap {

namespace {

// Fewer features than this are not worth a thread of their own.
constexpr std::int64_t kFeaturesPerRange = 256;

Phase phase_of(const hooks::FeatureEvent& event) {
  if (!event.grad_enabled) return Phase::eval;
  if (!event.owner.isObject()) return Phase::train;
  const auto& owner = event.owner.toObjectRef();
  const auto slot = owner.type()->findAttributeSlot("training");  // traced and frozen modules may lack it
  const bool in_eval = slot && owner.getSlot(*slot).isBool() && !owner.getSlot(*slot).toBool();
  return in_eval ? Phase::eval : Phase::train;
}

c10::weak_intrusive_ptr<c10::ivalue::Object> weak(const c10::IValue& owner) {
  return c10::weak_intrusive_ptr<c10::ivalue::Object>(owner.toObject());
}

// Rows of the decoder in half precision; empty if it is not (any more) a matrix of the site's shape or cannot be read.
// A decoder that cannot be read must not cost a checkpoint its samples.
HalfMatrix directions_of(const at::Tensor& decoder, bool transposed, const Site& site) {
  try {
    const auto matrix = decoder.device().is_cpu() && decoder.scalar_type() == at::kFloat
                            ? decoder
                            : decoder.detach().to(at::kCPU, at::kFloat);
    const int of_feature = transposed ? 1 : 0;
    if (matrix.dim() != 2 || matrix.layout() != at::kStrided || matrix.size(of_feature) != site.features ||
        matrix.size(1 - of_feature) != site.d_out) {
      return {};
    }
    const auto feature_stride = matrix.stride(of_feature);
    const auto width_stride = matrix.stride(1 - of_feature);
    const auto* weights = matrix.const_data_ptr<float>();
    HalfMatrix directions;
    directions.reserve(static_cast<std::size_t>(site.features * site.d_out));
    for (std::int64_t f = 0; f < site.features; ++f) {
      for (std::int64_t i = 0; i < site.d_out; ++i) {
        directions.push_back(half_from_float(weights[f * feature_stride + i * width_stride]));
      }
    }
    return directions;
  } catch (const std::exception& error) {
    log(LogLevel::warning, "no decoder directions of " + site.name + ": " + error.what());
    return {};
  }
}

// The median cosine of some of the rows of two matrices [features, width].
double median_cosine(const HalfMatrix& a, const HalfMatrix& b, std::size_t features, std::size_t width) {
  constexpr std::size_t kRows = 101;
  std::vector<double> cosines;
  for (std::size_t row = 0; row < features; row += std::max<std::size_t>(1, features / kRows)) {
    double dot = 0, norm_a = 0, norm_b = 0;
    for (std::size_t i = row * width; i < (row + 1) * width; ++i) {
      const double x = float_from_half(a[i]), y = float_from_half(b[i]);
      dot += x * y;
      norm_a += x * x;
      norm_b += y * y;
    }
    cosines.push_back(norm_a > 0 && norm_b > 0 ? dot / std::sqrt(norm_a * norm_b) : 0);
  }
  std::nth_element(cosines.begin(), cosines.begin() + static_cast<std::ptrdiff_t>(cosines.size() / 2), cosines.end());
  return cosines[cosines.size() / 2];
}

}  // namespace

at::Tensor decoder_weight(const FeatureTap& tap, const c10::IValue& owner) {
  if (tap.decoder_attribute.empty()) {
    auto constant = tap.decoder_constant ? tap.decoder_constant->lock()
                                         : c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>();
    return constant.defined() ? at::Tensor::wrap_tensor_impl(std::move(constant)) : at::Tensor();
  }
  const auto weight = owner.toObjectRef().getAttr(tap.decoder_attribute);
  return weight.isTensor() ? weight.toTensor() : at::Tensor();
}

AttachedSite::AttachedSite(Site site, const c10::IValue& owner)
    : site_(std::move(site)), owner_(weak(owner)), sums_(static_cast<std::size_t>(site_.features)) {}

bool AttachedSite::belongs_to(const c10::IValue& owner) const {
  return owner.isObject() && owner_ && owner_->lock().get() == owner.toObject().get();
}

void AttachedSite::adopt(const c10::IValue& owner) {
  owner_ = weak(owner);
}

bool AttachedSite::continues_in(const FeatureTap& tap, const c10::IValue& owner) {
  const auto before = decoder_directions();
  const auto now = directions_of(decoder_weight(tap, owner), tap.decoder_transposed, site_);
  if (before.empty() || now.size() != before.size()) return before.empty();
  // Two SAEs trained from different seeds share directions by chance only: cosines near 0.
  return median_cosine(before, now, static_cast<std::size_t>(site_.features), static_cast<std::size_t>(site_.d_out)) >
         0.5;
}

void AttachedSite::count(const hooks::FeatureEvent& event) {
  // A step is a grad-enabled call; a call without gradients belongs to the latest step.
  if (event.grad_enabled) ++counts_.steps;
  ++counts_.calls;
  counts_.rows_seen += static_cast<std::uint64_t>(event.features.numel() / std::max<std::int64_t>(site_.features, 1));
}

void AttachedSite::handle(const FeatureTap& tap, const hooks::FeatureEvent& event, SiteContext& context) {
  decoder_ = decoder_weight(tap, event.owner);
  decoder_transposed_ = tap.decoder_transposed;
  released_directions_.clear();

  const auto phase = phase_of(event);
  const auto& config = context.config;
  count(event);
  const auto step = counts_.steps > 0 ? counts_.steps - 1 : 0;
  const bool due = step % static_cast<std::uint64_t>(config.sample_collection_freq) == 0;
  const bool wanted = phase == Phase::train ? config.collect_train : config.collect_eval;
  const auto rows = event.features.numel() / std::max<std::int64_t>(site_.features, 1);
  if (due && wanted && rows > 0) {
    const auto call = read(tap, event);
    if (event.grad_enabled) ++counts_.steps_collected;
    counts_.rows_collected += static_cast<std::uint64_t>(rows);
    collect(call, step, phase, context);
  }
  if (event.grad_enabled) context.callbacks.step({site_, step, due && wanted});
}

AttachedSite::Call AttachedSite::read(const FeatureTap& tap, const hooks::FeatureEvent& event) const {
  const auto& features = event.features;
  if (features.layout() != at::kStrided || !at::isFloatingType(features.scalar_type())) {
    throw std::runtime_error("features are not a dense floating-point tensor");
  }
  if (features.dim() < 1 || features.size(-1) != tap.site.features) {
    throw std::runtime_error("features have another width than the decoder");
  }
  Call call;
  auto matrix = features.reshape({-1, tap.site.features});
  // Widening to float32 is exact for the half formats.
  if (!matrix.device().is_cpu() || matrix.scalar_type() != at::kFloat) matrix = matrix.to(at::kCPU, at::kFloat);
  call.features = matrix.stride(1) == 1 ? matrix : matrix.contiguous();

  const auto& rows = event.rows;
  const bool one_each = rows.defined() && rows.layout() == at::kStrided && rows.dim() >= 1 && rows.size(-1) > 0 &&
                        rows.numel() / rows.size(-1) == call.features.size(0);
  if (one_each) {
    call.fingerprints = row_fingerprints(rows);
    call.row_bytes = static_cast<std::size_t>(rows.size(-1)) * rows.element_size();
  } else {
    // No row can be found under a width of 0 bytes: all come out as unresolved.
    call.fingerprints.assign(static_cast<std::size_t>(call.features.size(0)), 0);
  }
  return call;
}

void AttachedSite::collect(const Call& call, std::uint64_t step, Phase phase, SiteContext& context) {
  const auto traced = context.provenance.resolve(site_.id, {call.fingerprints, call.row_bytes}, context.unresolved);
  counts_.rows_resolved += static_cast<std::uint64_t>(traced.resolved);
  counts_.rows_excluded += static_cast<std::uint64_t>(traced.excluded);

  scan(call, traced.eligible, context.callbacks.bars(site_, step));
  const auto rows = call.features.size(0);
  context.callbacks.batch({site_, step, phase, rows, rows - traced.excluded, traced.positions, sums_, candidates_,
                           context.provenance.tokens()});
}

void AttachedSite::scan(const Call& call, const std::vector<std::uint8_t>& eligible, std::span<const float> bars) {
  const DenseActivations activations{call.features.const_data_ptr<float>(), call.features.size(0), site_.features,
                                     call.features.stride(0)};
  const auto ranges = std::clamp<std::int64_t>(site_.features / kFeaturesPerRange, 1, at::get_num_threads());
  candidates_.resize(static_cast<std::size_t>(ranges));
  for (auto& candidates : candidates_) candidates.clear();
  at::parallel_for(0, ranges, 1, [&](std::int64_t first, std::int64_t last) {
    for (auto range = first; range < last; ++range) {
      const FeatureRange features{site_.features * range / ranges, site_.features * (range + 1) / ranges};
      scan_features(activations, features, eligible.data(), bars.empty() ? nullptr : bars.data(), sums_.data(),
                    candidates_[static_cast<std::size_t>(range)]);
    }
  });
}

HalfMatrix AttachedSite::decoder_directions() {
  if (!decoder_.defined()) return released_directions_;
  return directions_of(decoder_, decoder_transposed_, site_);
}

void AttachedSite::release_decoder_of_dead_owner() {
  if (!orphaned()) return;
  owner_.reset();
  if (!decoder_.defined()) return;
  released_directions_ = decoder_directions();
  decoder_.reset();
}

}  // namespace saetap

#include "plugin/session/attached_site.h"

#include <algorithm>
#include <stdexcept>

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

}  // namespace

AttachedSite::AttachedSite(Site site, const c10::IValue& owner)
    : site_(std::move(site)), owner_(weak(owner)), sums_(static_cast<std::size_t>(site_.features)) {}

bool AttachedSite::belongs_to(const c10::IValue& owner) const {
  return owner.isObject() && owner_.lock().get() == owner.toObject().get();
}

void AttachedSite::adopt(const c10::IValue& owner) {
  owner_ = weak(owner);
}

void AttachedSite::handle(const FeatureTap& tap, const hooks::FeatureEvent& event, SiteContext& context) {
  decoder_ = tap.decoder_attribute.empty() ? tap.decoder_constant
                                           : event.owner.toObjectRef().getAttr(tap.decoder_attribute).toTensor();
  decoder_transposed_ = tap.decoder_transposed;
  released_directions_.clear();

  const auto phase = phase_of(event);
  const auto& config = context.config;
  // A step is a grad-enabled call; a call without gradients belongs to the latest step.
  if (event.grad_enabled) ++counts_.steps;
  const auto step = counts_.steps > 0 ? counts_.steps - 1 : 0;
  const bool due = step % static_cast<std::uint64_t>(config.sample_collection_freq) == 0;
  const bool wanted = phase == Phase::train ? config.collect_train : config.collect_eval;
  const auto rows = event.features.numel() / std::max<std::int64_t>(site_.features, 1);
  ++counts_.calls;
  counts_.rows_seen += static_cast<std::uint64_t>(rows);
  if (due && wanted && rows > 0) {
    if (event.grad_enabled) ++counts_.steps_collected;
    counts_.rows_collected += static_cast<std::uint64_t>(rows);
    collect(read(tap, event), step, phase, context);
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
  const auto matrix = decoder_.device().is_cpu() && decoder_.scalar_type() == at::kFloat
                          ? decoder_
                          : decoder_.detach().to(at::kCPU, at::kFloat);
  const auto feature_stride = matrix.stride(decoder_transposed_ ? 1 : 0);
  const auto width_stride = matrix.stride(decoder_transposed_ ? 0 : 1);
  const auto* weights = matrix.const_data_ptr<float>();
  HalfMatrix directions(static_cast<std::size_t>(site_.features * site_.d_out));
  for (std::int64_t f = 0; f < site_.features; ++f) {
    for (std::int64_t i = 0; i < site_.d_out; ++i) {
      directions[static_cast<std::size_t>(f * site_.d_out + i)] =
          half_from_float(weights[f * feature_stride + i * width_stride]);
    }
  }
  return directions;
}

void AttachedSite::release_decoder_of_dead_owner() {
  if (!decoder_.defined() || !orphaned()) return;
  released_directions_ = decoder_directions();
  decoder_.reset();
}

}  // namespace saetap

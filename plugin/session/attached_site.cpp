#include "plugin/session/attached_site.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "plugin/log.h"
#include "plugin/session/float_rows.h"
#include "plugin/store/half.h"

namespace saetap {

namespace {

// Fewer features than this are not worth a thread of their own.
constexpr std::int64_t kFeaturesPerRange = 256;

c10::weak_intrusive_ptr<c10::ivalue::Object> weak(const c10::IValue& owner) {
  return c10::weak_intrusive_ptr<c10::ivalue::Object>(owner.toObject());
}

Activations activations_of(const TappedCall& call, std::int64_t features) {
  if (call.features.defined()) {
    return DenseActivations{call.features.const_data_ptr<float>(), call.rows, features, call.features.stride(0)};
  }
  return PairActivations{call.pair_values.const_data_ptr<float>(), call.pair_indices.const_data_ptr<std::int64_t>(),
                         call.rows, call.pair_values.size(1)};
}

// One direction per feature, [F, d_out] on the decoder's device; undefined if the weight is not (any more) of the
// site's shape.
at::Tensor rows_of_decoder(const at::Tensor& decoder, const hooks::WeightLayout& layout, const Site& site) {
  const auto matrices = layout.matrices(decoder);
  const auto group = std::max<std::int64_t>(site.group, 0);
  if (!matrices.defined() || group >= matrices.size(0)) return {};
  const auto rows = matrices[group];
  return rows.size(0) == site.features && rows.size(1) == site.d_out ? rows : at::Tensor();
}

// Rows of the decoder in half precision; empty if they cannot be read. A decoder that cannot be read must not cost a
// checkpoint its samples.
HalfMatrix directions_of(const at::Tensor& decoder, const hooks::WeightLayout& layout, const Site& site) {
  try {
    auto rows = rows_of_decoder(decoder, layout, site);
    if (!rows.defined()) return {};
    rows = rows.to(at::kCPU, at::kFloat).contiguous();
    const auto* weights = rows.const_data_ptr<float>();
    HalfMatrix directions(static_cast<std::size_t>(rows.numel()));
    for (std::size_t i = 0; i < directions.size(); ++i) directions[i] = half_from_float(weights[i]);
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

AttachedSite::AttachedSite(Site site, const c10::IValue& owner)
    : site_(std::move(site)), sums_(static_cast<std::size_t>(site_.features)) {
  if (owner.isObject()) adopt(owner);
}

bool AttachedSite::belongs_to(const c10::IValue& owner) const {
  return owner.isObject() && owner_ && owner_->lock().get() == &owner.toObjectRef();
}

void AttachedSite::adopt(const c10::IValue& owner) {
  owner_ = weak(owner);
}

bool AttachedSite::continues_in(const FeatureTap& tap, const c10::IValue& owner) {
  const auto before = decoder_directions();
  const auto now = directions_of(decoder_weight(tap, owner), tap.decoder_layout, site_);
  if (before.empty() || now.size() != before.size()) return before.empty();
  // Two SAEs trained from different seeds share directions by chance only: cosines near 0.
  return median_cosine(before, now, static_cast<std::size_t>(site_.features), static_cast<std::size_t>(site_.d_out)) >
         0.5;
}

void AttachedSite::count(std::int64_t rows, bool grad_enabled) {
  // A step is a grad-enabled call; a call without gradients belongs to the latest step.
  if (grad_enabled) ++counts_.steps;
  ++counts_.calls;
  counts_.rows_seen += static_cast<std::uint64_t>(rows);
}

void AttachedSite::handle(const FeatureTap& tap, const hooks::FeatureEvent& event, const CallShape& shape,
                          SiteContext& context) {
  decoder_ = decoder_weight(tap, event.owner);
  decoder_layout_ = tap.decoder_layout;
  released_directions_.clear();

  const auto& config = context.config;
  count(shape.rows, event.grad_enabled);
  const auto step = counts_.steps > 0 ? counts_.steps - 1 : 0;
  const bool due = step % static_cast<std::uint64_t>(config.sample_collection_freq) == 0;
  const bool wanted = event.phase == Phase::train ? config.collect_train : config.collect_eval;
  if (due && wanted && shape.rows > 0) {
    auto call = read_call(tap, event, shape, site_.group);
    if (config.activation_scale == ActivationScale::decoder_norm) scale(tap, call);
    if (event.grad_enabled) ++counts_.steps_collected;
    counts_.rows_collected += static_cast<std::uint64_t>(call.rows);
    collect(call, step, event.phase, context);
  }
  if (event.grad_enabled) context.callbacks.step({site_, step, due && wanted});
}

// In units of what a feature adds to the output.
void AttachedSite::scale(const FeatureTap& tap, TappedCall& call) const {
  if (tap.decoder_normalised) return;
  const auto rows = rows_of_decoder(decoder_, decoder_layout_, site_);
  if (!rows.defined()) throw std::runtime_error("activations cannot be scaled: no decoder directions");
  const auto norms = rows.to(at::kCPU, at::kFloat).norm(2, 1);
  if (call.features.defined()) {
    call.features = call.features * norms;
  } else {
    call.pair_values = call.pair_values * norms.take(call.pair_indices);
  }
}

void AttachedSite::collect(const TappedCall& call, std::uint64_t step, Phase phase, SiteContext& context) {
  const auto rows = call.inputs.defined() ? FloatRows(call.inputs) : FloatRows(call.rows);
  const auto traced = context.provenance.resolve(site_.id, rows.view(), context.unresolved);
  counts_.rows_resolved += static_cast<std::uint64_t>(traced.resolved);
  counts_.rows_ambiguous += static_cast<std::uint64_t>(traced.ambiguous);
  counts_.rows_excluded += static_cast<std::uint64_t>(traced.excluded);

  const auto activations = activations_of(call, site_.features);
  scan(activations, traced.eligible, context.callbacks.bars(site_, step));
  scan_around(activations, traced, context);
  context.callbacks.batch({site_, step, phase, call.rows, call.rows - traced.excluded, traced.positions, sums_,
                           candidates_, context.provenance.tokens(), contexts_});
}

void AttachedSite::scan(const Activations& activations, const std::vector<std::uint8_t>& eligible,
                        std::span<const float> bars) {
  const auto ranges = std::clamp<std::int64_t>(site_.features / kFeaturesPerRange, 1, at::get_num_threads());
  candidates_.resize(static_cast<std::size_t>(ranges));
  for (auto& candidates : candidates_) candidates.clear();
  at::parallel_for(0, ranges, 1, [&](std::int64_t first, std::int64_t last) {
    for (auto range = first; range < last; ++range) {
      const FeatureRange features{site_.features * range / ranges, site_.features * (range + 1) / ranges};
      const auto scan_range = [&](const auto& form) {
        scan_features(form, features, eligible.data(), bars.empty() ? nullptr : bars.data(), sums_.data(),
                      candidates_[static_cast<std::size_t>(range)]);
      };
      std::visit(scan_range, activations);
    }
  });
}

// Most batches are drawn from a large buffer: then no row's context is there, which is soon seen.
void AttachedSite::scan_around(const Activations& activations, const Resolution& traced, SiteContext& context) {
  contexts_.clear();
  const auto size = context.callbacks.context_size();
  const auto wanted = [](const std::vector<Candidate>& candidates) { return !candidates.empty(); };
  if (size == 0 || std::none_of(candidates_.begin(), candidates_.end(), wanted)) return;
  const ContextRows rows(traced.positions, context.provenance.tokens(), size);
  if (rows.empty()) return;
  contexts_.resize(candidates_.size());
  at::parallel_for(0, static_cast<std::int64_t>(candidates_.size()), 1, [&](std::int64_t first, std::int64_t last) {
    for (auto range = static_cast<std::size_t>(first); range < static_cast<std::size_t>(last); ++range) {
      scan_contexts(activations, candidates_[range], rows, contexts_[range]);
    }
  });
}

HalfMatrix AttachedSite::decoder_directions() {
  if (!decoder_.defined()) return released_directions_;
  return directions_of(decoder_, decoder_layout_, site_);
}

void AttachedSite::release_decoder_of_dead_owner() {
  if (!orphaned()) return;
  owner_.reset();
  if (!decoder_.defined()) return;
  released_directions_ = decoder_directions();
  decoder_.reset();
}

}  // namespace saetap

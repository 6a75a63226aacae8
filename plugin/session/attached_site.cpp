#include "plugin/session/attached_site.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "plugin/log.h"
#include "plugin/session/float_rows.h"
#include "plugin/session/parallel.h"
#include "plugin/store/decoder_likeness.h"

namespace saetap {

namespace {

// Fewer features than this are not worth a thread of their own.
constexpr std::int64_t kFeaturesPerRange = 256;
// Of a call with more candidates than this nothing around them is looked at. That takes 160 bytes for each where
// features are dense; and before training made them sparse, nearly every activation of the first call is a candidate.
constexpr std::size_t kMostLookedAround = std::size_t{1} << 22;

c10::weak_intrusive_ptr<c10::ivalue::Object> weak(const c10::IValue& owner) {
  return c10::weak_intrusive_ptr<c10::ivalue::Object>(owner.toObject());
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
    rows = rows.to(at::kHalf).to(at::kCPU).contiguous();
    const auto* weights = static_cast<const std::uint16_t*>(rows.const_data_ptr());
    return {weights, weights + rows.numel()};
  } catch (const std::exception& error) {
    log(LogLevel::warning, "no decoder directions of " + site.name + ": " + error.what());
    return {};
  }
}

// A step is a grad-enabled call, or what the program says; a call without gradients belongs to the latest step.
bool step_begins(bool in_step, bool grad_enabled, bool steps_told) {
  return steps_told ? !in_step : grad_enabled;
}

// The number of the latest of so many; what comes before the first one is counted to it.
std::uint64_t latest_of(std::uint64_t steps) {
  return steps > 0 ? steps - 1 : 0;
}

}  // namespace

void scan_on_all_cores(const Activations& activations, std::int64_t features, const ScanRequest& request,
                       CollectedBatch& batch) {
  const auto ranges = std::clamp<std::int64_t>(features / kFeaturesPerRange, 1, at::get_num_threads());
  batch.sums.resize(static_cast<std::size_t>(features));
  batch.found.resize(static_cast<std::size_t>(ranges));
  in_parallel(ranges, 1, [&](std::int64_t first, std::int64_t last) {
    for (auto range = first; range < last; ++range) {
      const FeatureRange own{features * range / ranges, features * (range + 1) / ranges};
      scan_features(activations, own, request, batch.sums.data(), batch.found[static_cast<std::size_t>(range)]);
    }
  });
}

AttachedSite::AttachedSite(Site site, const c10::IValue& owner) : site_(std::move(site)) {
  if (owner.isObject()) adopt(owner);
}

bool AttachedSite::belongs_to(const c10::IValue& owner) const {
  return owner.isObject() && owner_ && owner_->lock().get() == &owner.toObjectRef();
}

void AttachedSite::adopt(const c10::IValue& owner) {
  owner_ = weak(owner);
}

bool AttachedSite::continues_in(const FeatureTap& tap, const c10::IValue& owner) {
  const auto before = compared_rows(decoder_directions(), site_);
  const auto now = compared_decoder(site_, tap, owner);
  if (before.empty() || now.empty()) return before.empty();
  return are_akin(before, now, site_.d_out);
}

std::vector<float> AttachedSite::compared_decoder(const Site& site, const FeatureTap& tap, const c10::IValue& owner) {
  return compared_rows(directions_of(decoder_weight(tap, owner), tap.decoder_layout, site), site);
}

bool AttachedSite::count(std::int64_t rows, bool grad_enabled, bool steps_told) {
  const bool begins = step_begins(in_step_, grad_enabled, steps_told);
  if (begins) {
    ++counts_.steps;
    step_collected_ = false;
  }
  in_step_ = steps_told;
  ++counts_.calls;
  counts_.rows_seen += static_cast<std::uint64_t>(rows);
  return begins;
}

void AttachedSite::end_step(SiteContext& context) {
  if (std::exchange(in_step_, false)) tell_step(counts_.steps - 1, step_collected_, context);
}

void AttachedSite::tell_step(std::uint64_t step, bool collected, SiteContext& context) const {
  const auto tell = [this, step, collected, &collection = context.collection] {
    collection.step({site_, step, collected});
  };
  if (context.device_queue.empty()) {
    tell();
  } else {
    context.device_queue.add(at::kCPU, {tell});
  }
}

bool AttachedSite::is_due(const hooks::FeatureEvent& event, const Config& config, bool steps_told) const {
  const bool begins = step_begins(in_step_, event.grad_enabled, steps_told);
  const auto step = latest_of(counts_.steps + (begins ? 1 : 0));
  const bool wanted = event.phase == Phase::train ? config.collect_train : config.collect_eval;
  return wanted && step % static_cast<std::uint64_t>(config.sample_collection_freq) == 0;
}

void AttachedSite::handle(const FeatureTap& tap, const hooks::FeatureEvent& event, const CallShape& shape,
                          SiteContext& context) {
  decoder_ = decoder_weight(tap, event.owner);
  decoder_layout_ = tap.decoder_layout;
  released_directions_.clear();

  const bool due = is_due(event, context.config, context.steps_told);
  const bool begins = count(shape.rows, event.grad_enabled, context.steps_told);
  const bool whole_step = begins && !context.steps_told;  // this call is one
  const auto step = latest_of(counts_.steps);
  const bool collected = due && (shape.rows == 0 || context.collection.takes_batch());
  try {
    if (collected && shape.rows > 0) collect_call(tap, event, shape, step, context);
  } catch (...) {
    if (whole_step) tell_step(step, false, context);
    throw;
  }
  if (whole_step) tell_step(step, collected, context);
}

void AttachedSite::collect_call(const FeatureTap& tap, const hooks::FeatureEvent& event, const CallShape& shape,
                                std::uint64_t step, SiteContext& context) {
  const bool sparse = event.values.layout() != at::kStrided;
  const auto place = context.device_queue.wants(event.values.device()) && !sparse ? ScanPlace::device : ScanPlace::host;
  if (place == ScanPlace::host) context.device_queue.finish();  // calls are handled in their order
  auto call = read_call(tap, event, shape, site_.group, place);
  if (context.config.activation_scale == ActivationScale::decoder_norm) scale(tap, call);
  if (event.grad_enabled || context.steps_told) note_collected_step();
  counts_.rows_collected += static_cast<std::uint64_t>(call.rows);
  if (place == ScanPlace::device) {
    collect_on_device(call, step, event.phase, context);
  } else {
    collect(call, step, event.phase, context);
  }
}

void AttachedSite::note_collected_step() {
  if (!std::exchange(step_collected_, true)) ++counts_.steps_collected;
}

// In units of what a feature adds to the output.
void AttachedSite::scale(const FeatureTap& tap, TappedCall& call) const {
  if (tap.decoder_normalised) return;
  const auto rows = rows_of_decoder(decoder_, decoder_layout_, site_);
  if (!rows.defined()) throw std::runtime_error("activations cannot be scaled: no decoder directions");
  call.multiply(rows.to(at::kCPU, at::kFloat).norm(2, 1));
}

Resolution AttachedSite::trace(const TappedCall& call, const SiteContext& context) {
  const auto rows = call.inputs.defined() ? FloatRows(call.inputs) : FloatRows(call.rows);
  auto traced = context.provenance.resolve(site_.id, rows.view(), context.unresolved);
  counts_.rows_resolved += static_cast<std::uint64_t>(traced.resolved);
  counts_.rows_ambiguous += static_cast<std::uint64_t>(traced.ambiguous);
  counts_.rows_excluded += static_cast<std::uint64_t>(traced.excluded);
  return traced;
}

std::unique_ptr<CollectedBatch> AttachedSite::new_batch(std::uint64_t step, Phase phase, std::int64_t rows,
                                                        Resolution& traced, const SiteContext& context) const {
  auto batch = context.collection.new_batch();
  batch->site = &site_;
  batch->step = step;
  batch->phase = phase;
  batch->rows = rows;
  batch->eligible = rows - traced.excluded;
  batch->positions = traced.positions;
  batch->row_tokens = std::move(traced.tokens);
  return batch;
}

void AttachedSite::collect(const TappedCall& call, std::uint64_t step, Phase phase, SiteContext& context) {
  auto traced = trace(call, context);
  auto batch = new_batch(step, phase, call.rows, traced, context);
  const auto context_size = board_->read(step, bars_);
  const auto activations = call.activations();
  scan(activations, traced, *batch);
  scan_around(activations, context.provenance.tokens(), context_size, *batch);
  batch->keep_tokens(context.provenance.tokens());
  context.collection.batch(std::move(batch), board_);
}

void AttachedSite::hash_rows(const Resolution& traced) {
  row_hashes_.clear();
  if (bars_.hash.empty()) return;
  for (const auto& at : traced.positions) row_hashes_.push_back(static_cast<std::uint32_t>(place_hash(at) >> 32));
}

void AttachedSite::scan(const Activations& activations, const Resolution& traced, CollectedBatch& batch) {
  hash_rows(traced);
  const ScanRequest request{traced.eligible.data(), bars_.activation.empty() ? nullptr : bars_.activation.data(),
                            bars_.hash.empty() ? nullptr : bars_.hash.data(), row_hashes_.data()};
  scan_on_all_cores(activations, site_.features, request, batch);
}

// Most batches are drawn from a large buffer: then no row's context is there, which is soon seen.
void AttachedSite::scan_around(const Activations& activations, const TokenSource& tokens, std::uint32_t context_size,
                               CollectedBatch& batch) const {
  batch.contexts.clear();
  std::size_t candidates = 0;
  for (const auto& range : batch.found) candidates += range.candidates.size();
  if (context_size == 0 || candidates == 0 || candidates > kMostLookedAround) return;
  const ContextRows rows(batch.positions, tokens, context_size);
  if (rows.empty()) return;
  batch.contexts.resize(batch.found.size());
  in_parallel(static_cast<std::int64_t>(batch.found.size()), 1, [&](std::int64_t first, std::int64_t last) {
    for (auto range = static_cast<std::size_t>(first); range < static_cast<std::size_t>(last); ++range) {
      scan_contexts(activations, batch.found[range].candidates, rows, batch.contexts[range]);
    }
  });
}

// ---- on an accelerator ----

struct AttachedSite::DeviceCall {
  std::uint64_t step = 0;
  Phase phase = Phase::train;
  TappedCall call;  // its features where they lie, its inputs on the way to the host
  std::uint32_t version = 0;
  DeviceEntries entries;
  at::Tensor entry_count;  // on the way to the host
  DeviceRequest request;
  std::unique_ptr<CollectedBatch> batch;
  DeviceFindings findings;
};

void AttachedSite::collect_on_device(const TappedCall& call, std::uint64_t step, Phase phase, SiteContext& context) {
  // Room for what most SAEs have active at first, and from then on for what was met.
  constexpr std::int64_t kUsuallyActive = 256;
  entry_room_ = std::max(entry_room_, call.rows * std::min(site_.features, kUsuallyActive));
  candidate_room_ = std::max(candidate_room_, entry_room_);
  auto pending = std::make_shared<DeviceCall>();
  pending->step = step;
  pending->phase = phase;
  pending->call = call;
  pending->call.inputs = to_host_later(call.inputs);
  if (call.dense.defined()) {
    pending->entries = gather_active(call.dense, entry_room_);
    if (call.dense.is_inference()) {
      // Nobody counts changes of such a tensor, so it cannot be looked at again later: it is waited for.
      const auto active = pending->entries.count.item<std::int64_t>();
      if (active > entry_room_) pending->entries = gather_active(call.dense, entry_room_ = active + active / 4);
    } else {
      pending->version = call.dense.unsafeGetTensorImpl()->version_counter().current_version();
    }
  } else {
    pending->entries = gather_pairs(call.values, call.features);
  }
  pending->entry_count = to_host_later(pending->entries.count);
  const auto device = (call.dense.defined() ? call.dense : call.values).device();
  context.device_queue.add(device, {[this, pending, context] { scan_on_device(*pending, context); },
                                    [this, pending, context] { finish_on_device(*pending, context); }});
}

void AttachedSite::scan_on_device(DeviceCall& call, const SiteContext& context) {
  const auto active = call.entry_count.item<std::int64_t>();
  if (active > call.entries.room()) {
    const auto& dense = call.call.dense;
    if (dense.unsafeGetTensorImpl()->version_counter().current_version() != call.version) {
      throw std::runtime_error("more features were active than there was room for, and they were changed meanwhile");
    }
    entry_room_ = active + active / 4;
    call.entries = gather_active(dense, entry_room_);
  }
  auto traced = trace(call.call, context);
  call.batch = new_batch(call.step, call.phase, call.call.rows, traced, context);
  call.batch->keep_tokens(context.provenance.tokens(), BatchTokens::OfRows::all);  // they may be forgotten by the end
  board_->read(call.step, bars_);
  hash_rows(traced);
  call.request = to_device(call.entries.values.device(), traced.eligible, row_hashes_, bars_);
  call.findings = scan_entries(call.entries, site_.features, call.request, candidate_room_).to_host_later();
}

void AttachedSite::finish_on_device(DeviceCall& call, const SiteContext& context) {
  while (!read_findings(call.findings, site_.features, *call.batch)) {
    // Once more with room for all of them; rare, so that it may wait.
    candidate_room_ = call.findings.candidate_count.item<std::int64_t>() * 5 / 4;
    call.findings = scan_entries(call.entries, site_.features, call.request, candidate_room_).to_host();
  }
  // What was around the candidates stays on the device.
  call.batch->contexts.clear();
  // There was room when the call was made, and may be none now.
  if (!context.collection.takes_batch()) return;
  context.collection.batch(std::move(call.batch), board_);
}

HalfMatrix AttachedSite::decoder_directions() {
  if (!decoder_.defined()) return released_directions_;
  return directions_of(decoder_, decoder_layout_, site_);
}

void AttachedSite::release_decoder_of_dead_owner() {
  if (!orphaned()) return;
  owner_.reset();
  release_decoder();
}

void AttachedSite::release_decoder() {
  if (!decoder_.defined()) return;
  released_directions_ = decoder_directions();
  decoder_.reset();
}

}  // namespace saetap

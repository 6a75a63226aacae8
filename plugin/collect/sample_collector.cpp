#include "plugin/collect/sample_collector.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

namespace saetap {
namespace {

Sample sample_of(const Candidate& candidate, const TokenPosition& at, std::uint64_t step) {
  constexpr std::uint64_t kLast = std::numeric_limits<std::uint32_t>::max();
  return {at.sequence, candidate.activation, at.position, static_cast<std::uint32_t>(std::min(step, kLast))};
}

}  // namespace

Part::Part(const Site& site, const CollectorOptions& options)
    : samples(site.features, options.max_samples_per_feature, options.sample_activation_threshold),
      random_samples(site.features, options.random_samples_per_feature),
      statistics(static_cast<std::size_t>(site.features)),
      histograms(static_cast<std::size_t>(site.features)) {}

SiteCollection::SiteCollection(const Site& attached, const CollectorOptions& options)
    : site(&attached),
      window(window_of(options.window_rule, 0)),
      threshold_bars(static_cast<std::size_t>(attached.features), options.sample_activation_threshold),
      all_hashes(static_cast<std::size_t>(attached.features),
                 options.random_samples_per_feature == 0 ? 0 : std::numeric_limits<std::uint32_t>::max()) {
  part(PartKind::open) = std::make_unique<Part>(attached, options);
}

SampleCollector::SampleCollector(CollectorOptions options, Save save)
    : options_(options), save_(std::move(save)), sequences_(options.sample_context_size) {}

void SampleCollector::on_attach(const Site& site) {
  sites_.try_emplace(site.id, site, options_);
}

CandidateBars SampleCollector::bars(const Site& site, std::uint64_t step) {
  const SiteCollection& collection = sites_.at(site.id);
  // The batch opens a window. The bars of the full one before it would hide what belongs into the new one.
  if (step >= collection.window.end_step) return {collection.threshold_bars, collection.all_hashes, step + 1};
  const Part& open = *collection.part(PartKind::open);
  return {open.samples.bars(), open.random_samples.bars(), collection.window.end_step};
}

void SampleCollector::on_batch(const Batch& batch) {
  if (batch.eligible == 0) return;  // closes no window either: there is nothing to put into the next one
  SiteCollection& collection = sites_.at(batch.site.id);
  advance(collection, batch.step);
  Part& part = *collection.part(PartKind::open);
  if (part.eligible == 0) part.first_step = batch.step;
  part.last_step = std::max(part.last_step, batch.step);
  part.eligible += static_cast<std::uint64_t>(batch.eligible);
  for (std::size_t feature = 0; feature < batch.sums.size(); ++feature) {
    const FeatureSums& sums = batch.sums[feature];
    if ((sums.active | sums.nonfinite) != 0) part.statistics[feature].add(sums);
  }
  for (const RangeScan& range : batch.found) {
    for (const HistogramCount& one : range.histogram) part.histograms[one.feature].add(one.bin, one.count);
  }
  repeated_.clear();
  for (const TokenPosition& at : batch.positions) repeated_.push_back(collection.places.meet(at) ? 1 : 0);
  offer_candidates(part, batch);
}

// Pins are counted per row and taken at the end, because one row's place enters the samples of many features.
void SampleCollector::offer_candidates(Part& part, const Batch& batch) {
  new_pins_.assign(batch.positions.size(), 0);
  dropped_.clear();
  for (std::size_t range = 0; range < batch.found.size(); ++range) {
    const std::vector<Candidate>& candidates = batch.found[range].candidates;
    const CandidateContexts* contexts = batch.contexts.empty() ? nullptr : &batch.contexts[range];
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const Candidate& candidate = candidates[i];
      const Sample sample = sample_of(candidate, batch.positions[candidate.row], batch.step);
      const bool known = contexts != nullptr && contexts->known(i);
      const auto around = known ? contexts->of(i) : std::span<const ContextActivation>{};
      // A candidate came for one of the two, or for both.
      if (std::abs(candidate.activation) >= part.samples.bars()[candidate.feature]) {
        offer_strong(part, candidate, sample, around, known);
      }
      offer_random(part, candidate, sample, around, known);
    }
  }
  for (std::size_t row = 0; row < new_pins_.size(); ++row) {
    const TokenPosition& at = batch.positions[row];
    if (new_pins_[row] == 0 || !has_tokens(at.sequence)) continue;
    sequences_.pin(at, batch.tokens.tokens(at.sequence), new_pins_[row]);
  }
  for (const Sample& sample : dropped_) release(sample);
}

void SampleCollector::offer_strong(Part& part, const Candidate& candidate, Sample sample,
                                   std::span<const ContextActivation> around, bool known) {
  if (known) sample.context = keep_context(around);
  Sample dropped;
  switch (part.samples.offer(candidate.feature, sample, &dropped, repeated_[candidate.row] != 0)) {
    case FeatureTable::Kept::no:
      contexts_.release(sample.context);
      break;
    case FeatureTable::Kept::added:
      ++new_pins_[candidate.row];
      break;
    case FeatureTable::Kept::replaced_weakest:
      ++new_pins_[candidate.row];
      dropped_.push_back(dropped);
      break;
    case FeatureTable::Kept::replaced_same_place:  // the pin stays
      contexts_.release(dropped.context);
      break;
  }
}

void SampleCollector::offer_random(Part& part, const Candidate& candidate, Sample sample,
                                   std::span<const ContextActivation> around, bool known) {
  const auto hash = static_cast<std::uint32_t>(place_hash({sample.sequence, sample.position}) >> 32);
  if (hash > part.random_samples.bars()[candidate.feature]) return;
  if (known) sample.context = keep_context(around);
  Sample dropped;
  switch (part.random_samples.offer(candidate.feature, sample, &dropped)) {
    case RandomTable::Kept::no:
      contexts_.release(sample.context);
      break;
    case RandomTable::Kept::added:
      ++new_pins_[candidate.row];
      break;
    case RandomTable::Kept::replaced_last:
      ++new_pins_[candidate.row];
      dropped_.push_back(dropped);
      break;
    case RandomTable::Kept::replaced_same_place:  // the pin stays
      contexts_.release(dropped.context);
      break;
  }
}

// Another callback may have asked for a wider context.
std::uint32_t SampleCollector::keep_context(std::span<const ContextActivation> activations) {
  const auto size = static_cast<std::int32_t>(options_.sample_context_size);
  const auto near = [&](const ContextActivation& one) { return std::abs(one.offset) <= size; };
  while (!activations.empty() && !near(activations.front())) activations = activations.subspan(1);
  while (!activations.empty() && !near(activations.back())) activations = activations.first(activations.size() - 1);
  return contexts_.add(activations);
}

void SampleCollector::on_checkpoint(const CheckpointEvent& event) {
  if (save_ && save_(*this, event)) release_history();
}

void SampleCollector::clear() {
  sequences_ = SequencePool(options_.sample_context_size);
  contexts_ = ContextPool();
  for (auto& [id, collection] : sites_) {
    SiteCollection empty(*collection.site, options_);
    empty.window = collection.window;
    collection = std::move(empty);
  }
}

void SampleCollector::advance(SiteCollection& collection, std::uint64_t step) {
  if (step < collection.window.end_step) return;
  // A window in which nothing was collected closes nothing: the one before it stays the newest closed one.
  if (collection.part(PartKind::open)->eligible != 0) {
    if (collection.part(PartKind::closed) != nullptr) {
      push_history(collection);
      fold_closed(collection);
    }
    collection.part(PartKind::closed) = std::move(collection.part(PartKind::open));
    collection.closed_window = collection.window;
    collection.part(PartKind::open) = std::make_unique<Part>(*collection.site, options_);
  }
  collection.window = window_of(options_.window_rule, step);
  collection.places.clear();
}

void SampleCollector::push_history(SiteCollection& collection) {
  const Part& closed = *collection.part(PartKind::closed);
  HistoryEntry entry{collection.closed_window, closed.eligible, {}};
  for (std::uint32_t feature = 0; feature < closed.statistics.size(); ++feature) {
    const FeatureStatistics& statistics = closed.statistics[feature];
    if (statistics == FeatureStatistics{}) continue;
    std::vector<Sample> top = closed.samples.strongest(feature);
    top.resize(std::min(top.size(), kHistorySamples));
    for (Sample& sample : top) sample = twin(sample);
    entry.features.push_back({feature, statistics, std::move(top)});
  }
  collection.unsaved_history.push_back(std::move(entry));
}

void SampleCollector::fold_closed(SiteCollection& collection) {
  std::unique_ptr<Part>& past = collection.part(PartKind::past);
  std::unique_ptr<Part> closed = std::move(collection.part(PartKind::closed));
  if (past == nullptr) {
    past = std::move(closed);
    return;
  }
  past->last_step = closed->last_step;
  past->eligible += closed->eligible;
  for (std::uint32_t feature = 0; feature < closed->statistics.size(); ++feature) {
    past->statistics[feature].add(closed->statistics[feature]);
    past->histograms[feature].add(closed->histograms[feature]);
    for (const Sample& sample : closed->samples.strongest(feature)) move_in(*past, feature, sample);
    for (const Sample& sample : closed->random_samples.samples(feature)) move_in_random(*past, feature, sample);
  }
}

void SampleCollector::release_history() {
  for (auto& [id, collection] : sites_) {
    for (const HistoryEntry& entry : collection.unsaved_history) {
      for (const HistoryEntry::Feature& feature : entry.features) {
        for (const Sample& sample : feature.top) release(sample);
      }
    }
    collection.unsaved_history.clear();
  }
}

void SampleCollector::move_in(Part& part, std::uint32_t feature, const Sample& sample) {
  Sample dropped = sample;  // unless it takes a free place, one goes: it itself or the sample that it replaces
  if (part.samples.offer(feature, sample, &dropped) != FeatureTable::Kept::added) release(dropped);
}

void SampleCollector::move_in_random(Part& part, std::uint32_t feature, const Sample& sample) {
  Sample dropped = sample;
  if (part.random_samples.offer(feature, sample, &dropped) != RandomTable::Kept::added) release(dropped);
}

Sample SampleCollector::twin(const Sample& sample) {
  Sample twin = sample;
  twin.context = contexts_.copy(sample.context);
  if (has_tokens(sample.sequence)) sequences_.pin({sample.sequence, sample.position}, {});
  return twin;
}

void SampleCollector::release(const Sample& sample) {
  contexts_.release(sample.context);
  if (has_tokens(sample.sequence)) sequences_.unpin({sample.sequence, sample.position});
}

}  // namespace saetap

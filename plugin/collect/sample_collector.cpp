#include "plugin/collect/sample_collector.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <utility>

#include "plugin/log.h"

namespace saetap {
namespace {

Sample sample_of(const Candidate& candidate, const TokenPosition& at, std::uint64_t step) {
  constexpr std::uint64_t kLast = std::numeric_limits<std::uint32_t>::max();
  return {at.sequence, candidate.activation, at.position, static_cast<std::uint32_t>(std::min(step, kLast))};
}

}  // namespace

SampleCollector::SampleCollector(CollectorOptions options, Save save)
    : options_(options), asked_(options), save_(std::move(save)), sequences_(options.sample_context_size) {}

void SampleCollector::on_attach(const Site& site) {
  sites_.try_emplace(site.id, site, options_);
}

CandidateBars SampleCollector::bars(const Site& site, std::uint64_t step) {
  const SiteCollection& collection = sites_.at(site.id);
  // The batch opens a window. The bars of the full one before it would hide what belongs into the new one.
  const Part& open = *collection.part(PartKind::open);
  if (step >= open.window.end_step) return {collection.threshold_bars, collection.all_hashes, step + 1};
  return {open.samples.bars(), open.random_samples.bars(), open.window.end_step};
}

void SampleCollector::on_batch(const Batch& batch) {
  if (batch.eligible == 0) return;  // closes no window either: there is nothing to put into the next one
  SiteCollection& collection = sites_.at(batch.site.id);
  advance(collection, batch.step);
  Part& part = collection.open();
  if (part.eligible == 0) part.first_step = batch.step;
  part.last_step = std::max(part.last_step, batch.step);
  part.eligible += static_cast<std::uint64_t>(batch.eligible);
  part.tokens.add(batch.row_tokens);
  for (std::size_t feature = 0; feature < batch.sums.size(); ++feature) {
    const FeatureSums& sums = batch.sums[feature];
    if ((sums.active | sums.nonfinite) == 0) continue;
    part.statistics[feature].add(sums);
    part.counted[feature] = 1;
    if (sums.active != 0) collection.ever_active[feature] = 1;
  }
  for (const RangeScan& range : batch.found) {
    for (const HistogramCount& one : range.histogram) part.histograms[one.feature].add(one.bin, one.count);
  }
  repeated_.clear();
  for (const TokenPosition& at : batch.positions) repeated_.push_back(collection.places.meet(at) ? 1 : 0);
  offer_candidates(part, batch);
  stay_within_memory();
}

// Pins are counted per row and taken at the end, because one row's place enters the samples of many features.
void SampleCollector::offer_candidates(Part& part, const Batch& batch) {
  new_pins_.assign(batch.positions.size(), 0);
  groups_.assign(options_.limit.alike == SampleLimit::Alike::no ? 0 : batch.positions.size(), 0);
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
        offer_strong(part, batch, candidate, sample, around, known);
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
  // As many as while the tables fill will not come again.
  constexpr std::size_t kUsual = std::size_t{1} << 16;
  if (dropped_.capacity() > kUsual) dropped_ = std::vector<Sample>();
}

void SampleCollector::offer_strong(Part& part, const Batch& batch, const Candidate& candidate, Sample sample,
                                   std::span<const ContextActivation> around, bool known) {
  if (known) sample.context = keep_context(around);
  Sample dropped;
  const auto group = group_of_row(batch, candidate.row);
  switch (part.samples.offer(candidate.feature, sample, &dropped, repeated_[candidate.row] != 0, group)) {
    case FeatureTable::Kept::no:
      contexts_.release(sample.context);
      break;
    case FeatureTable::Kept::added:
      ++new_pins_[candidate.row];
      break;
    case FeatureTable::Kept::replaced_weaker:
      ++new_pins_[candidate.row];
      dropped_.push_back(dropped);
      break;
    case FeatureTable::Kept::replaced_same_place:  // the pin stays
      contexts_.release(dropped.context);
      break;
    case FeatureTable::Kept::equal:
      if (takes_context(sample, dropped)) part.samples.set_context(candidate.feature, sample);
      break;
  }
}

void SampleCollector::offer_random(Part& part, const Candidate& candidate, Sample sample,
                                   std::span<const ContextActivation> around, bool known) {
  const auto hash = static_cast<std::uint32_t>(place_hash({sample.sequence, sample.position}) >> 32);
  if (hash > part.random_samples.bars()[candidate.feature]) return;
  if (known) sample.context = keep_context(around);
  Sample dropped;
  switch (part.random_samples.offer(candidate.feature, sample, &dropped, repeated_[candidate.row] != 0)) {
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
    case RandomTable::Kept::equal:
      if (takes_context(sample, dropped)) part.random_samples.set_context(candidate.feature, sample);
      break;
  }
}

// The same place again in the same step: of the two contexts one goes.
bool SampleCollector::takes_context(const Sample& sample, const Sample& kept) {
  const bool fuller = contexts_.fuller(sample.context, kept.context);
  contexts_.release(fuller ? kept.context : sample.context);
  return fuller;
}

std::uint64_t SampleCollector::group_of_row(const Batch& batch, std::uint32_t row) {
  if (groups_.empty()) return 0;
  const TokenPosition& at = batch.positions[row];
  if (groups_[row] == 0) groups_[row] = sample_group(options_.limit.alike, at, batch.tokens.tokens(at.sequence));
  return groups_[row];
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
  if (save_ && save_(*this, event)) release_saved();
}

bool SampleCollector::wants_save() const {
  return std::any_of(sites_.begin(), sites_.end(),
                     [](const auto& entry) { return entry.second.part(PartKind::closed) != nullptr; });
}

void SampleCollector::clear() {
  sequences_ = SequencePool(options_.sample_context_size);
  contexts_ = ContextPool();
  for (auto& [id, collection] : sites_) {
    SiteCollection empty(*collection.site, options_);
    empty.open().window = collection.open().window;
    collection = std::move(empty);
  }
}

void SampleCollector::advance(SiteCollection& collection, std::uint64_t step) {
  Part& open = collection.open();
  if (step < open.window.end_step) return;
  const Window next = window_of(options_.window_rule, step);
  collection.places.clear();
  // A window in which nothing was collected closes nothing: the one before it stays the newest closed one.
  if (open.eligible == 0) {
    open.window = next;
    return;
  }
  if (collection.part(PartKind::closed) != nullptr) {
    push_history(collection);
    fold_closed(collection);
  }
  auto opened = std::make_unique<Part>(*collection.site, next, options_);  // there is one also if this throws
  collection.part(PartKind::closed) = std::move(collection.part(PartKind::open));
  collection.part(PartKind::open) = std::move(opened);
}

void SampleCollector::push_history(SiteCollection& collection) {
  const Part& closed = *collection.part(PartKind::closed);
  HistoryEntry entry{closed.window, closed.eligible, false, {}};
  for (std::uint32_t feature = 0; feature < closed.statistics.size(); ++feature) {
    const FeatureStatistics& statistics = closed.statistics[feature];
    if (statistics == FeatureStatistics{}) continue;
    std::vector<Sample> top = closed.samples.strongest(feature);
    top.resize(std::min(top.size(), kHistorySamples));
    std::vector<std::uint64_t> groups = closed.samples.groups(feature, top);
    for (Sample& sample : top) sample = twin(sample);
    entry.features.push_back({feature, statistics, std::move(top), std::move(groups)});
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
  past->window = closed->window;
  past->last_step = closed->last_step;
  past->eligible += closed->eligible;
  past->tokens.add(closed->tokens);
  for (std::uint32_t feature = 0; feature < closed->statistics.size(); ++feature) {
    past->statistics[feature].add(closed->statistics[feature]);
    past->histograms[feature].add(closed->histograms[feature]);
    const std::vector<Sample> samples = closed->samples.strongest(feature);
    const std::vector<std::uint64_t> groups = closed->samples.groups(feature, samples);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      move_in(*past, feature, samples[i], groups.empty() ? 0 : groups[i]);
    }
    for (const Sample& sample : closed->random_samples.samples(feature)) move_in_random(*past, feature, sample);
  }
}

void SampleCollector::release_saved() {
  for (auto& [id, collection] : sites_) {
    collection.each_leaving_sample([this](const Sample& sample) { release(sample); });
    collection.unsaved_history.clear();
    collection.part(PartKind::past) = nullptr;
    collection.part(PartKind::closed) = nullptr;
    collection.open().mark_saved();
  }
  sequences_.mark_saved();
}

std::size_t SampleCollector::bytes() const {
  std::size_t bytes = sequences_.bytes() + contexts_.bytes();
  for (const auto& [id, collection] : sites_) {
    for (const auto& part : collection.parts) bytes += part == nullptr ? 0 : part->bytes();
    for (const HistoryEntry& entry : collection.unsaved_history) bytes += entry.bytes();
  }
  return bytes;
}

// Looking takes as long as a few thousand candidates do, so not every batch is followed by a look.
void SampleCollector::stay_within_memory() {
  constexpr std::uint32_t kBatchesBetweenLooks = 4;
  if (options_.most_bytes == 0 || ++batches_since_look_ < kBatchesBetweenLooks) return;
  batches_since_look_ = 0;
  const auto less = [](std::uint32_t k) { return k > 1 ? std::max(1u, k * 3 / 4) : k; };
  const bool first = options_.max_samples_per_feature == asked_.max_samples_per_feature &&
                     options_.random_samples_per_feature == asked_.random_samples_per_feature;
  bool shrunk = false;
  while (bytes() > options_.most_bytes && forget_history_samples()) {
  }
  while (bytes() > options_.most_bytes &&
         (options_.max_samples_per_feature > 1 || options_.random_samples_per_feature > 1)) {
    shrunk = true;
    options_.max_samples_per_feature = less(options_.max_samples_per_feature);
    options_.random_samples_per_feature = less(options_.random_samples_per_feature);
    shrink_parts();
  }
  const bool fits = bytes() <= options_.most_bytes;
  if (!fits && !std::exchange(said_no_fit_, true)) {
    log(LogLevel::warning, "memory        " + std::to_string(options_.most_bytes >> 20) +
                               " MB (max_memory_mb) do not even hold one sample of every feature and the statistics: " +
                               std::to_string((bytes() >> 20) + 1) + " MB are used");
    return;
  }
  if (shrunk && first) {
    log(LogLevel::warning,
        "memory        " + std::to_string(options_.most_bytes >> 20) + " MB (max_memory_mb) reached: " +
            std::to_string(options_.max_samples_per_feature) + " of " + std::to_string(asked_.max_samples_per_feature) +
            " samples and " + std::to_string(options_.random_samples_per_feature) + " of " +
            std::to_string(asked_.random_samples_per_feature) +
            " random ones are kept of every feature from now on, fewer if need be; still exactly its strongest");
  }
}

// Saves must have failed for long, or there would not be so many windows to save. Of the oldest ones only the
// statistics stay: their samples are in the past, too, if they are strong enough.
bool SampleCollector::forget_history_samples() {
  constexpr std::size_t kLatest = 8;
  for (auto& [id, collection] : sites_) {
    auto& history = collection.unsaved_history;
    for (std::size_t i = 0; i + kLatest < history.size(); ++i) {
      if (history[i].samples_forgotten) continue;
      if (i == 0) {
        log(LogLevel::warning,
            "memory        " + std::to_string(options_.most_bytes >> 20) +
                " MB (max_memory_mb) reached while windows wait to be saved: the store will hold the "
                "statistics of the oldest ones, but not each one's strongest samples");
      }
      history[i].samples_forgotten = true;
      for (HistoryEntry::Feature& feature : history[i].features) {
        for (const Sample& sample : feature.top) release(sample);
        feature.top = std::vector<Sample>();
        feature.groups = std::vector<std::uint64_t>();
      }
      return true;
    }
  }
  return false;
}

void SampleCollector::shrink_parts() {
  dropped_.clear();
  for (auto& [id, collection] : sites_) {
    for (const auto& part : collection.parts) {
      if (part == nullptr) continue;
      part->samples.shrink(options_.max_samples_per_feature, dropped_);
      part->random_samples.shrink(options_.random_samples_per_feature, dropped_);
    }
  }
  for (const Sample& sample : dropped_) release(sample);
}

void SampleCollector::move_in(Part& part, std::uint32_t feature, const Sample& sample, std::uint64_t group) {
  Sample dropped = sample;  // unless it takes a free place, one goes: it itself or the sample that it replaces
  const auto kept = part.samples.offer(feature, sample, &dropped, true, group);
  if (kept == FeatureTable::Kept::equal) dropped = sample;
  if (kept != FeatureTable::Kept::added) release(dropped);
}

void SampleCollector::move_in_random(Part& part, std::uint32_t feature, const Sample& sample) {
  Sample dropped = sample;
  const auto kept = part.random_samples.offer(feature, sample, &dropped);
  if (kept == RandomTable::Kept::equal) dropped = sample;
  if (kept != RandomTable::Kept::added) release(dropped);
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

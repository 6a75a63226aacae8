#include "integrations/analysis/site_agreement.h"

#include <algorithm>
#include <utility>

namespace saetap {
namespace {

// Sorted, each once. Put in order now and then: samples share most of their sequences.
class Sequences {
 public:
  void add(std::span<const Sample> samples) {
    for (const Sample& sample : samples) {
      if (has_tokens(sample.sequence)) ids_.push_back(sample.sequence);
    }
    if (ids_.size() > std::max<std::size_t>(2 * sorted_, 1 << 16)) sort();
  }
  void add(const KeptOfFeature& kept) {
    add(kept.samples);
    add(kept.random_samples);
  }
  const std::vector<SequenceId>& sort() {
    std::sort(ids_.begin(), ids_.end());
    ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
    sorted_ = ids_.size();
    return ids_;
  }

 private:
  std::vector<SequenceId> ids_;
  std::size_t sorted_ = 0;
};

CommonText common_text(Sequences& training, Sequences& final_pass) {
  const std::vector<SequenceId>&a = training.sort(), &b = final_pass.sort();
  const auto both = std::count_if(a.begin(), a.end(), [&](SequenceId id) {  //
    return std::binary_search(b.begin(), b.end(), id);
  });
  return {a.size(), b.size(), static_cast<std::uint64_t>(both)};
}

std::string kind_of(const StoredWindow& window) {
  if (!window.part) return "history";
  return *window.part == PartKind::past ? "past" : *window.part == PartKind::closed ? "closed" : "open";
}

// One part of the training: where it is read from, and its figures as they come.
class ComparedPart {
 public:
  explicit ComparedPart(const StoredWindow& window) : window_(window) {
    part_.kind = kind_of(window);
    if (window.part != PartKind::past) part_.window = window.window.number;
    part_.span = {window.first_step, window.last_step, window.eligible};
  }
  ComparedPart(const StoredSite& stored, Scope scope) : scope_(scope) {
    part_.kind = scope == Scope::recent ? "recent" : "all_time";
    part_.span = scope == Scope::recent ? stored.recent : stored.all_time;
  }

  [[nodiscard]] bool reads(Scope scope) const { return !window_ && scope_ == scope; }

  [[nodiscard]] KeptOfFeature read(const StoreReader& store, StoredWindows& windows, int site, std::uint32_t feature) {
    if (window_) return windows.read(site, *window_, feature);
    if (statistics_.empty()) statistics_ = store.statistics(site, scope_);
    return {statistics_[feature], store.samples(site, feature, scope_), store.random_samples(site, feature, scope_)};
  }

  void add(const FeatureAgreement& one, bool has_samples) {
    ++part_.features;
    has_samples_ = has_samples_ || has_samples;
    if (one.top_overlap) top_overlaps_.push_back(*one.top_overlap);
    if (one.found) founds_.push_back(*one.found);
    if (one.correlation) correlations_.push_back(*one.correlation);
    training_active_.push_back(static_cast<double>(one.training_active));
    final_active_.push_back(static_cast<double>(one.final_active));
  }

  [[nodiscard]] PartAgreement result() {
    // A window whose samples were given up has nothing that could be the same.
    if (!has_samples_) top_overlaps_.clear();
    part_.top_overlap = spread_of(std::move(top_overlaps_));
    part_.found = spread_of(std::move(founds_));
    part_.correlation = spread_of(std::move(correlations_));
    if (part_.features >= kFewestFeatures) part_.densities = rank_correlation(training_active_, final_active_);
    return std::move(part_);
  }

 private:
  std::optional<StoredWindow> window_;  // nothing: the scope is read
  Scope scope_ = Scope::all_time;
  std::vector<FeatureStatistics> statistics_;  // of the scope, [features], once it was asked for
  PartAgreement part_;
  bool has_samples_ = false;
  std::vector<double> top_overlaps_, founds_, correlations_;
  std::vector<double> training_active_, final_active_;
};

std::vector<ComparedPart> parts_of(const StoredSite& stored, std::vector<StoredWindow> windows) {
  std::stable_partition(windows.begin(), windows.end(), [](const StoredWindow& one) {  //
    return one.part != PartKind::past;
  });
  std::vector<ComparedPart> parts(windows.begin(), windows.end());
  parts.emplace_back(stored, Scope::recent);
  if (stored.all_time_readable) parts.emplace_back(stored, Scope::all_time);
  return parts;
}

}  // namespace

SiteAgreement compare_sites(const SiteOf& training, StoredWindows& windows, const SiteOf& final_pass, Scope listed,
                            const std::function<void(std::size_t)>& tick) {
  const int site = training.stored.site.id, final_site = final_pass.stored.site.id;
  if (training.stored.site.features != final_pass.stored.site.features) {
    throw StoreError(training.stored.site.name + " has " + std::to_string(training.stored.site.features) +
                     " features in " + training.store.path() + " and " +
                     std::to_string(final_pass.stored.site.features) + " in " + final_pass.store.path() +
                     ": they are not of one SAE");
  }
  // What an imported store has is of no window.
  auto own_windows = training.store.run().imported ? std::vector<StoredWindow>() : windows.of(site);
  std::vector<ComparedPart> parts = parts_of(training.stored, std::move(own_windows));
  const std::vector<FeatureStatistics> ever = training.store.statistics(site, Scope::all_time);
  const std::vector<FeatureStatistics> final_statistics = final_pass.store.statistics(final_site, Scope::all_time);

  SiteAgreement agreement;
  Sequences in_training, in_final;
  for (std::uint32_t feature = 0; feature < ever.size(); ++feature) {
    tick(feature);
    if (ever[feature].active == 0 && final_statistics[feature].active == 0) continue;
    // Of features that its file does not list an imported store knows nothing.
    if (ever[feature].active == 0 && training.store.run().imported) continue;
    if (final_statistics[feature].active == 0 && final_pass.store.run().imported) continue;
    const KeptOfFeature last{final_statistics[feature], final_pass.store.samples(final_site, feature, Scope::all_time),
                             final_pass.store.random_samples(final_site, feature, Scope::all_time)};
    in_final.add(last);
    for (ComparedPart& part : parts) {
      const KeptOfFeature kept = part.read(training.store, windows, site, feature);
      in_training.add(kept);
      if (kept.statistics.active == 0 && last.statistics.active == 0) continue;
      const FeatureAgreement one = compare_feature(feature, kept, last);
      part.add(one, !kept.samples.empty());
      if (part.reads(listed)) agreement.features.push_back(one);
    }
  }
  for (ComparedPart& part : parts) agreement.parts.push_back(part.result());
  agreement.sequences = common_text(in_training, in_final);
  return agreement;
}

}  // namespace saetap

// The k strongest samples of every feature.
#pragma once

#include <boost/heap/priority_queue.hpp>
#include <cstdint>
#include <span>
#include <vector>

#include "plugin/collect/context_pool.h"
#include "plugin/collect/sample.h"

namespace saetap {

// Per feature a min-heap of at most k samples, its root the weakest (priority_queue measured fastest for this). Memory
// is reserved at a feature's first offer. Keeps exactly the k strongest places offered, a place counting once with its
// largest activation. With a limit for samples of one group: exactly the k strongest of those that are left when of
// each group only the `most_of_group` strongest places count. Not thread-safe.
class FeatureTable {
 public:
  // `threshold`: the lowest activation that is a sample. `most_of_group`: 0, no limit.
  FeatureTable(std::int64_t features, std::uint32_t k, float threshold, std::uint32_t most_of_group = 0);

  // Lowest activation per feature that could still enter, [features]: the threshold, or the weakest kept one once the
  // feature is full (equal values may enter: ties are settled by place).
  [[nodiscard]] std::span<const float> bars() const { return bars_; }

  // `equal`: it is kept already.
  enum class Kept : std::uint8_t { no, added, replaced_weaker, replaced_same_place, equal };
  // Offers a finite sample at or above the threshold. If another one had to go (replaced_weaker, replaced_same_place),
  // or is equal, it is written to `dropped`. On the same activation at the same place the later step is kept.
  // `repeated`: false if this place was surely never offered before, which saves looking for it.
  // `group`: see sample_group(); the same at each offer of a place. Not looked at without a limit.
  Kept offer(std::uint32_t feature, const Sample& sample, Sample* dropped, bool repeated = true,
             std::uint64_t group = 0);

  // Gives the kept sample that is equal to this one this one's context.
  void set_context(std::uint32_t feature, const Sample& sample) { replace(feature, sample, sample); }

  // The kept samples, strongest first.
  [[nodiscard]] std::vector<Sample> strongest(std::uint32_t feature) const;
  // The group of each of them, in the same order; empty without a limit.
  [[nodiscard]] std::vector<std::uint64_t> groups(std::uint32_t feature, std::span<const Sample> samples) const;
  [[nodiscard]] std::size_t size(std::uint32_t feature) const;

  // Keeps the k strongest of each feature from now on; adds those that have to go to `dropped`.
  void shrink(std::uint32_t k, std::vector<Sample>& dropped);

  // Whether the samples of a feature changed since mark_saved().
  [[nodiscard]] bool changed(std::uint32_t feature) const { return changed_[feature] != 0; }
  void mark_saved();

  // Memory that samples take.
  [[nodiscard]] std::size_t bytes() const;
  void clear();

 private:
  struct WeakestOnTop {
    bool operator()(const Sample& a, const Sample& b) const { return stronger(a, b); }
  };
  using Heap = boost::heap::priority_queue<Sample, boost::heap::compare<WeakestOnTop>>;
  struct Grouped {
    std::uint64_t place = 0;  // place_hash
    std::uint64_t group = 0;
  };

  [[nodiscard]] const Sample* weakest_of_full_group(std::uint32_t feature, std::uint64_t group) const;
  // A heap cannot change an element: it is taken apart and built again. Rare: only where a place comes round again, or
  // a group is full.
  void replace(std::uint32_t feature, const Sample& old, const Sample& sample);
  void enter_group(std::uint32_t feature, const Sample& sample, std::uint64_t group);
  void leave_group(std::uint32_t feature, const Sample& sample);
  void update_bar(std::uint32_t feature);

  std::uint32_t k_;
  float threshold_;
  std::uint32_t most_of_group_;
  std::vector<Heap> heaps_;
  std::vector<std::vector<Grouped>> groups_;  // [features], of the kept samples; empty without a limit
  std::vector<float> bars_;
  std::vector<std::uint8_t> changed_;
};

// The k strongest of several lists, strongest first, a place counting once with its largest activation (and, where that
// is equal, its latest step). With a limit, `groups` has as many lists of as many elements. `contexts`: of all of them;
// without it, which of several equal samples is taken means nothing.
[[nodiscard]] std::vector<Sample> merge_strongest(std::span<const std::vector<Sample>> lists, std::size_t k,
                                                  std::uint32_t most_of_group = 0,
                                                  std::span<const std::vector<std::uint64_t>> groups = {},
                                                  const ContextPool* contexts = nullptr);

}  // namespace saetap

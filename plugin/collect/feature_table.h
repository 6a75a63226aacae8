// The k strongest samples of every feature.
#pragma once

#include <boost/heap/priority_queue.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "plugin/collect/sample.h"

namespace saetap {

// Per feature a min-heap of at most k samples, its root the weakest (priority_queue measured fastest for this). Memory
// is reserved at a feature's first offer. Keeps exactly the k strongest places offered, a place counting once with its
// largest activation. Not thread-safe.
class FeatureTable {
 public:
  // `threshold`: the lowest activation that is a sample.
  FeatureTable(std::int64_t features, std::uint32_t k, float threshold);

  // Lowest activation per feature that could still enter, [features]: the threshold, or the weakest kept one once the
  // feature is full (equal values may enter: ties are settled by place).
  [[nodiscard]] std::span<const float> bars() const { return bars_; }

  enum class Kept : std::uint8_t { no, added, replaced_weakest, replaced_same_place };
  // Offers a finite sample at or above the threshold. If another one had to go (replaced_weakest, replaced_same_place),
  // it is written to `dropped`. On the same activation at the same place the later step is kept.
  // `repeated`: false if this place was surely never offered before, which saves looking for it.
  Kept offer(std::uint32_t feature, const Sample& sample, Sample* dropped, bool repeated = true);

  // The kept samples, strongest first.
  [[nodiscard]] std::vector<Sample> strongest(std::uint32_t feature) const;
  [[nodiscard]] std::size_t size(std::uint32_t feature) const;
  [[nodiscard]] std::int64_t features() const { return static_cast<std::int64_t>(bars_.size()); }
  [[nodiscard]] std::uint32_t k() const { return k_; }
  void clear();

 private:
  struct WeakestOnTop {
    bool operator()(const Sample& a, const Sample& b) const { return stronger(a, b); }
  };
  // A heap cannot change an element: it is taken apart and built again. Rare: only where a place comes round again.
  void replace(std::uint32_t feature, const Sample& sample);
  void update_bar(std::uint32_t feature);

  using Heap = boost::heap::priority_queue<Sample, boost::heap::compare<WeakestOnTop>>;

  std::uint32_t k_;
  float threshold_;
  std::vector<Heap> heaps_;
  std::vector<float> bars_;
};

// The k strongest of several lists, strongest first, a place counting once with its largest activation (and, where that
// is equal, its latest step).
[[nodiscard]] std::vector<Sample> merge_strongest(std::span<const std::vector<Sample>> lists, std::size_t k);

}  // namespace saetap

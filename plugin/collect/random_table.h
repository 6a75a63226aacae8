// An unbiased random sample of every feature's active tokens.
#pragma once

#include <boost/heap/priority_queue.hpp>
#include <cstdint>
#include <span>
#include <vector>

#include "plugin/collect/context_pool.h"
#include "plugin/collect/sample.h"

namespace saetap {

// The order of a random sample: by hash, and by place where two are equal.
[[nodiscard]] bool before_by_hash(const Sample& a, const Sample& b);

// Per feature the k places with the smallest hashes (see place_hash): every active token is as likely to be kept as any
// other, and the same ones are kept in whatever order, on whatever ranks they come. A place counts once, with its
// latest activation. Memory is reserved at a feature's first offer. Not thread-safe.
class RandomTable {
 public:
  RandomTable(std::int64_t features, std::uint32_t k);

  // Upper 32 bits of the largest hash that could still enter, [features]; all ones until a feature is full.
  [[nodiscard]] std::span<const std::uint32_t> bars() const { return bars_; }

  // `equal`: it is kept already.
  enum class Kept : std::uint8_t { no, added, replaced_last, replaced_same_place, equal };
  // Offers a finite sample that is not 0. If another one had to go, or is equal, it is written to `dropped`.
  // `repeated`: false if this place was surely never offered before, which saves looking for it.
  Kept offer(std::uint32_t feature, const Sample& sample, Sample* dropped, bool repeated = true);

  // Gives the kept sample that is equal to this one this one's context.
  void set_context(std::uint32_t feature, const Sample& sample);

  // The kept samples in the order of their hashes.
  [[nodiscard]] std::vector<Sample> samples(std::uint32_t feature) const;

  // Keeps the k with the smallest hashes of each feature from now on; adds those that have to go to `dropped`.
  void shrink(std::uint32_t k, std::vector<Sample>& dropped);

  // Whether the samples of a feature changed since mark_saved().
  [[nodiscard]] bool changed(std::uint32_t feature) const { return changed_[feature] != 0; }
  void mark_saved();

  // Memory that samples take.
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct LargestOnTop {
    bool operator()(const Sample& a, const Sample& b) const { return before_by_hash(a, b); }
  };
  using Heap = boost::heap::priority_queue<Sample, boost::heap::compare<LargestOnTop>>;

  void replace(Heap& heap, const Sample& sample);
  void update_bar(std::uint32_t feature);

  std::uint32_t k_;
  std::vector<Heap> heaps_;
  std::vector<std::uint32_t> bars_;
  std::vector<std::uint8_t> changed_;
};

// The k of several lists with the smallest hashes, in their order, a place counting once with its latest activation.
// `contexts`: as in merge_strongest().
[[nodiscard]] std::vector<Sample> merge_random(std::span<const std::vector<Sample>> lists, std::size_t k,
                                               const ContextPool* contexts = nullptr);

}  // namespace saetap

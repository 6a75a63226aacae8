#include "plugin/collect/feature_table.h"

#include <algorithm>

namespace saetap {
namespace {

// Reserved at the first offer; a larger k grows into what it needs.
constexpr std::uint32_t kMostReserved = 256;

}  // namespace

FeatureTable::FeatureTable(std::int64_t features, std::uint32_t k, float threshold)
    : k_(k),
      threshold_(threshold),
      heaps_(static_cast<std::size_t>(features)),
      bars_(static_cast<std::size_t>(features), threshold) {}

FeatureTable::Kept FeatureTable::offer(std::uint32_t feature, const Sample& sample, Sample* dropped, bool repeated) {
  Heap& heap = heaps_[feature];
  const bool full = heap.size() >= k_;
  if (full && stronger(heap.top(), sample)) return Kept::no;
  if (repeated) {
    const auto same =
        std::find_if(heap.begin(), heap.end(), [&](const Sample& kept) { return same_place(kept, sample); });
    if (same != heap.end()) {
      if (!better_at_same_place(sample, *same)) return Kept::no;
      *dropped = *same;
      replace(feature, sample);
      return Kept::replaced_same_place;
    }
  }
  if (full) {
    *dropped = heap.top();
    heap.pop();
  } else if (heap.empty()) {
    heap.reserve(std::min(k_, kMostReserved));
  }
  heap.push(sample);
  update_bar(feature);
  return full ? Kept::replaced_weakest : Kept::added;
}

void FeatureTable::replace(std::uint32_t feature, const Sample& sample) {
  Heap& heap = heaps_[feature];
  std::vector<Sample> kept(heap.begin(), heap.end());
  heap.clear();
  for (const Sample& other : kept) heap.push(same_place(other, sample) ? sample : other);
  update_bar(feature);
}

void FeatureTable::update_bar(std::uint32_t feature) {
  const Heap& heap = heaps_[feature];
  bars_[feature] = heap.size() < k_ ? threshold_ : std::abs(heap.top().activation);
}

std::vector<Sample> FeatureTable::strongest(std::uint32_t feature) const {
  const Heap& heap = heaps_[feature];
  std::vector<Sample> samples(heap.begin(), heap.end());
  std::sort(samples.begin(), samples.end(), stronger);
  return samples;
}

std::size_t FeatureTable::size(std::uint32_t feature) const {
  return heaps_[feature].size();
}

void FeatureTable::clear() {
  for (Heap& heap : heaps_) Heap().swap(heap);
  std::fill(bars_.begin(), bars_.end(), threshold_);
}

std::vector<Sample> merge_strongest(std::span<const std::vector<Sample>> lists, std::size_t k) {
  std::vector<Sample> all;
  for (const std::vector<Sample>& list : lists) all.insert(all.end(), list.begin(), list.end());
  std::sort(all.begin(), all.end(), [](const Sample& a, const Sample& b) {
    if (!same_place(a, b)) return std::tuple(a.sequence, a.position) < std::tuple(b.sequence, b.position);
    return better_at_same_place(a, b);
  });
  all.erase(std::unique(all.begin(), all.end(), same_place), all.end());
  const std::size_t kept = std::min(k, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(kept), all.end(), stronger);
  all.resize(kept);
  return all;
}

}  // namespace saetap

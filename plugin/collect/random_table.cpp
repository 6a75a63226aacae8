#include "plugin/collect/random_table.h"

#include <algorithm>
#include <tuple>

namespace saetap {

namespace {

constexpr std::size_t kMostReserved = 256;
constexpr std::uint32_t kAll = 0xFFFFFFFFu;

std::uint64_t hash_of(const Sample& sample) {
  return place_hash({sample.sequence, sample.position});
}

}  // namespace

bool before_by_hash(const Sample& a, const Sample& b) {
  return std::tuple(hash_of(a), a.sequence, a.position) < std::tuple(hash_of(b), b.sequence, b.position);
}

RandomTable::RandomTable(std::int64_t features, std::uint32_t k)
    : k_(k),
      heaps_(static_cast<std::size_t>(features)),
      bars_(static_cast<std::size_t>(features), k == 0 ? 0 : kAll),
      changed_(static_cast<std::size_t>(features)) {}

RandomTable::Kept RandomTable::offer(std::uint32_t feature, const Sample& sample, Sample* dropped, bool repeated) {
  if (k_ == 0) return Kept::no;
  Heap& heap = heaps_[feature];
  const bool full = heap.size() >= k_;
  if (full && before_by_hash(heap.top(), sample)) return Kept::no;
  const auto is_same = [&](const Sample& kept) { return same_place(kept, sample); };
  const auto same = repeated ? std::find_if(heap.begin(), heap.end(), is_same) : heap.end();
  if (same != heap.end()) {
    if (!later_at_same_place(sample, *same) && !(sample == *same)) return Kept::no;
    *dropped = *same;
    if (sample == *same) return Kept::equal;
    replace(heap, sample);
    changed_[feature] = 1;
    return Kept::replaced_same_place;
  }
  if (full) {
    *dropped = heap.top();
    heap.pop();
  } else if (heap.empty()) {
    heap.reserve(std::min<std::size_t>(k_, kMostReserved));
  }
  heap.push(sample);
  changed_[feature] = 1;
  update_bar(feature);
  return full ? Kept::replaced_last : Kept::added;
}

void RandomTable::update_bar(std::uint32_t feature) {
  const Heap& heap = heaps_[feature];
  bars_[feature] = heap.size() < k_ ? kAll : static_cast<std::uint32_t>(hash_of(heap.top()) >> 32);
}

// A heap cannot change an element: it is taken apart and built again. Rare: only where a place comes round again.
void RandomTable::replace(Heap& heap, const Sample& sample) {
  std::vector<Sample> kept(heap.begin(), heap.end());
  heap.clear();
  for (const Sample& other : kept) heap.push(same_place(other, sample) ? sample : other);
}

void RandomTable::set_context(std::uint32_t feature, const Sample& sample) {
  replace(heaps_[feature], sample);
  changed_[feature] = 1;
}

std::vector<Sample> RandomTable::samples(std::uint32_t feature) const {
  const Heap& heap = heaps_[feature];
  std::vector<Sample> samples(heap.begin(), heap.end());
  std::sort(samples.begin(), samples.end(), before_by_hash);
  return samples;
}

void RandomTable::shrink(std::uint32_t k, std::vector<Sample>& dropped) {
  k_ = k;
  for (std::uint32_t feature = 0; feature < heaps_.size(); ++feature) {
    const std::vector<Sample> kept = samples(feature);
    if (kept.empty()) continue;
    Heap smaller;
    smaller.reserve(std::min<std::size_t>(k_, kMostReserved));
    for (std::size_t i = 0; i < kept.size(); ++i) {
      if (i < k_) {
        smaller.push(kept[i]);
      } else {
        dropped.push_back(kept[i]);
      }
    }
    heaps_[feature].swap(smaller);
    if (kept.size() > k_) changed_[feature] = 1;
    update_bar(feature);
  }
}

void RandomTable::mark_saved() {
  std::fill(changed_.begin(), changed_.end(), std::uint8_t{0});
}

std::size_t RandomTable::bytes() const {
  std::size_t bytes = heaps_.size() * (sizeof(Heap) + sizeof(std::uint32_t));
  for (const Heap& heap : heaps_) {
    std::size_t room = heap.empty() ? 0 : std::min<std::size_t>(k_, kMostReserved);
    while (room < heap.size()) room *= 2;
    bytes += room * sizeof(Sample);
  }
  return bytes;
}

std::vector<Sample> merge_random(std::span<const std::vector<Sample>> lists, std::size_t k,
                                 const ContextPool* contexts) {
  std::vector<Sample> all;
  for (const std::vector<Sample>& list : lists) all.insert(all.end(), list.begin(), list.end());
  std::sort(all.begin(), all.end(), [&](const Sample& a, const Sample& b) {
    if (!same_place(a, b)) return before_by_hash(a, b);
    if (a == b) return contexts != nullptr && contexts->fuller(a.context, b.context);
    return later_at_same_place(a, b);
  });
  all.erase(std::unique(all.begin(), all.end(), same_place), all.end());
  all.resize(std::min(k, all.size()));
  return all;
}

}  // namespace saetap

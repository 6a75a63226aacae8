#include "plugin/collect/feature_table.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace saetap {
namespace {

// Reserved at the first offer; a larger k grows into what it needs.
constexpr std::size_t kMostReserved = 256;

std::uint64_t place_of(const Sample& sample) {
  return place_hash({sample.sequence, sample.position});
}

// What a heap of this size has memory for: it doubles where what was reserved does not do.
std::size_t room_of(std::size_t size, std::size_t k) {
  std::size_t room = size == 0 ? 0 : std::min(k, kMostReserved);
  while (room < size) room *= 2;
  return room;
}

}  // namespace

FeatureTable::FeatureTable(std::int64_t features, std::uint32_t k, float threshold, std::uint32_t most_of_group)
    : k_(k),
      threshold_(threshold),
      most_of_group_(most_of_group),
      heaps_(static_cast<std::size_t>(features)),
      groups_(most_of_group == 0 ? 0 : static_cast<std::size_t>(features)),
      bars_(static_cast<std::size_t>(features), threshold),
      changed_(static_cast<std::size_t>(features)) {}

FeatureTable::Kept FeatureTable::offer(std::uint32_t feature, const Sample& sample, Sample* dropped, bool repeated,
                                       std::uint64_t group) {
  if (k_ == 0) return Kept::no;
  Heap& heap = heaps_[feature];
  const bool full = heap.size() >= k_;
  if (full && stronger(heap.top(), sample)) return Kept::no;
  if (repeated) {
    const auto same =
        std::find_if(heap.begin(), heap.end(), [&](const Sample& kept) { return same_place(kept, sample); });
    if (same != heap.end()) {
      if (!better_at_same_place(sample, *same) && !(sample == *same)) return Kept::no;
      *dropped = *same;
      if (sample == *same) return Kept::equal;
      replace(feature, *dropped, sample);
      return Kept::replaced_same_place;
    }
  }
  if (const Sample* weakest = weakest_of_full_group(feature, group)) {
    if (stronger(*weakest, sample)) return Kept::no;
    *dropped = *weakest;
    leave_group(feature, *dropped);
    enter_group(feature, sample, group);
    replace(feature, *dropped, sample);
    return Kept::replaced_weaker;
  }
  if (full) {
    *dropped = heap.top();
    heap.pop();
    leave_group(feature, *dropped);
  } else if (heap.empty()) {
    heap.reserve(std::min<std::size_t>(k_, kMostReserved));
  }
  heap.push(sample);
  enter_group(feature, sample, group);
  update_bar(feature);
  return full ? Kept::replaced_weaker : Kept::added;
}

const Sample* FeatureTable::weakest_of_full_group(std::uint32_t feature, std::uint64_t group) const {
  if (most_of_group_ == 0) return nullptr;
  const auto alike = [&](const Grouped& one) { return one.group == group; };
  const std::vector<Grouped>& members = groups_[feature];
  if (std::count_if(members.begin(), members.end(), alike) < most_of_group_) return nullptr;
  const Sample* weakest = nullptr;
  for (const Sample& kept : heaps_[feature]) {
    if (weakest != nullptr && stronger(kept, *weakest)) continue;
    const auto place = place_of(kept);
    const auto is_kept = [&](const Grouped& one) { return one.place == place && one.group == group; };
    if (std::any_of(members.begin(), members.end(), is_kept)) weakest = &kept;
  }
  return weakest;
}

void FeatureTable::enter_group(std::uint32_t feature, const Sample& sample, std::uint64_t group) {
  if (most_of_group_ == 0) return;
  if (groups_[feature].empty()) groups_[feature].reserve(std::min<std::size_t>(k_, kMostReserved));
  groups_[feature].push_back({place_of(sample), group});
}

void FeatureTable::leave_group(std::uint32_t feature, const Sample& sample) {
  if (most_of_group_ == 0) return;
  std::vector<Grouped>& members = groups_[feature];
  const auto place = place_of(sample);
  const auto left = std::find_if(members.begin(), members.end(), [&](const auto& one) { return one.place == place; });
  if (left == members.end()) return;
  *left = members.back();
  members.pop_back();
}

void FeatureTable::replace(std::uint32_t feature, const Sample& old, const Sample& sample) {
  Heap& heap = heaps_[feature];
  std::vector<Sample> kept(heap.begin(), heap.end());
  heap.clear();
  for (const Sample& other : kept) heap.push(same_place(other, old) ? sample : other);
  update_bar(feature);
}

void FeatureTable::update_bar(std::uint32_t feature) {
  const Heap& heap = heaps_[feature];
  bars_[feature] = heap.size() < k_ ? threshold_ : std::abs(heap.top().activation);
  changed_[feature] = 1;
}

std::vector<Sample> FeatureTable::strongest(std::uint32_t feature) const {
  const Heap& heap = heaps_[feature];
  std::vector<Sample> samples(heap.begin(), heap.end());
  std::sort(samples.begin(), samples.end(), stronger);
  return samples;
}

std::vector<std::uint64_t> FeatureTable::groups(std::uint32_t feature, std::span<const Sample> samples) const {
  std::vector<std::uint64_t> groups;
  if (most_of_group_ == 0) return groups;
  const std::vector<Grouped>& members = groups_[feature];
  for (const Sample& sample : samples) {
    const auto place = place_of(sample);
    const auto found =
        std::find_if(members.begin(), members.end(), [&](const Grouped& one) { return one.place == place; });
    groups.push_back(found == members.end() ? place : found->group);
  }
  return groups;
}

std::size_t FeatureTable::size(std::uint32_t feature) const {
  return heaps_[feature].size();
}

void FeatureTable::shrink(std::uint32_t k, std::vector<Sample>& dropped) {
  k_ = k;
  for (std::uint32_t feature = 0; feature < heaps_.size(); ++feature) {
    Heap& heap = heaps_[feature];
    if (heap.empty()) continue;
    const std::vector<Sample> samples = strongest(feature);
    Heap smaller;
    smaller.reserve(std::min<std::size_t>(k_, kMostReserved));
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (i < k_) {
        smaller.push(samples[i]);
      } else {
        leave_group(feature, samples[i]);
        dropped.push_back(samples[i]);
      }
    }
    heap.swap(smaller);
    if (most_of_group_ != 0) groups_[feature].shrink_to_fit();
    if (samples.size() > k_) changed_[feature] = 1;
    bars_[feature] = heap.size() < k_ ? threshold_ : std::abs(heap.top().activation);
  }
}

void FeatureTable::mark_saved() {
  std::fill(changed_.begin(), changed_.end(), std::uint8_t{0});
}

std::size_t FeatureTable::bytes() const {
  std::size_t samples = 0;
  for (const Heap& heap : heaps_) samples += room_of(heap.size(), k_);
  const std::size_t of_one = sizeof(Sample) + (most_of_group_ == 0 ? 0 : sizeof(Grouped));
  return samples * of_one + heaps_.size() * (sizeof(Heap) + sizeof(float)) + groups_.size() * sizeof(groups_[0]);
}

void FeatureTable::clear() {
  for (Heap& heap : heaps_) Heap().swap(heap);
  for (auto& members : groups_) members = std::vector<Grouped>();
  std::fill(bars_.begin(), bars_.end(), threshold_);
  std::fill(changed_.begin(), changed_.end(), std::uint8_t{1});
}

std::vector<Sample> merge_strongest(std::span<const std::vector<Sample>> lists, std::size_t k,
                                    std::uint32_t most_of_group, std::span<const std::vector<std::uint64_t>> groups,
                                    const ContextPool* contexts) {
  struct Grouped {
    Sample sample;
    std::uint64_t group = 0;
  };
  std::vector<Grouped> all;
  for (std::size_t list = 0; list < lists.size(); ++list) {
    for (std::size_t i = 0; i < lists[list].size(); ++i) {
      all.push_back({lists[list][i], most_of_group == 0 ? 0 : groups[list][i]});
    }
  }
  std::sort(all.begin(), all.end(), [&](const Grouped& a, const Grouped& b) {
    if (!same_place(a.sample, b.sample)) {
      return std::tuple(a.sample.sequence, a.sample.position) < std::tuple(b.sample.sequence, b.sample.position);
    }
    if (a.sample == b.sample) return contexts != nullptr && contexts->fuller(a.sample.context, b.sample.context);
    return better_at_same_place(a.sample, b.sample);
  });
  const auto same = [](const Grouped& a, const Grouped& b) { return same_place(a.sample, b.sample); };
  all.erase(std::unique(all.begin(), all.end(), same), all.end());
  std::sort(all.begin(), all.end(), [](const Grouped& a, const Grouped& b) { return stronger(a.sample, b.sample); });
  std::vector<Sample> strongest;
  std::unordered_map<std::uint64_t, std::uint32_t> taken;
  for (const Grouped& one : all) {
    if (strongest.size() == k) break;
    if (most_of_group == 0 || taken[one.group]++ < most_of_group) strongest.push_back(one.sample);
  }
  return strongest;
}

}  // namespace saetap

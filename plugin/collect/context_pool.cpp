#include "plugin/collect/context_pool.h"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <tuple>

namespace saetap {

namespace {

// A handle is the size in the high bits and a place in the low ones.
constexpr std::uint32_t kPlaceBits = 27;
constexpr std::uint32_t kMostPlaces = std::uint32_t{1} << kPlaceBits;
constexpr std::uint32_t kMostSizes = 24;
constexpr std::uint32_t kNone = kContextNotKnown - 1;  // an empty list

}  // namespace

std::uint32_t ContextPool::add(std::span<const ContextActivation> activations) {
  if (activations.empty()) return kNone;
  const auto number = static_cast<std::uint32_t>(std::bit_width(activations.size() - 1));
  if (number >= kMostSizes) throw std::length_error("more activations than a sample can have");
  while (number >= sizes_.size()) sizes_.emplace_back(std::size_t{1} << sizes_.size());
  auto& size = sizes_[number];
  if (size.used() >= kMostPlaces) throw std::length_error("activations around too many samples");
  const auto place = size.take();
  const auto list = size.at(place);
  std::fill(std::copy(activations.begin(), activations.end(), list.begin()), list.end(), ContextActivation{});
  return number << kPlaceBits | place;
}

std::span<const ContextActivation> ContextPool::at(std::uint32_t handle) const {
  if (handle >= kNone) return {};
  const std::span<const ContextActivation> list = sizes_[handle >> kPlaceBits].at(handle & (kMostPlaces - 1));
  const auto end = std::find_if(list.begin(), list.end(), [](const ContextActivation& one) { return one.offset == 0; });
  return list.first(static_cast<std::size_t>(end - list.begin()));
}

std::uint32_t ContextPool::copy(std::uint32_t handle) {
  return handle >= kNone ? handle : add(at(handle));
}

void ContextPool::release(std::uint32_t handle) {
  if (handle < kNone) sizes_[handle >> kPlaceBits].give_back(handle & (kMostPlaces - 1));
}

bool ContextPool::fuller(std::uint32_t a, std::uint32_t b) const {
  if (known(a) != known(b)) return known(a);
  const auto of_a = at(a), of_b = at(b);
  if (of_a.size() != of_b.size()) return of_a.size() > of_b.size();
  const auto before = [](const ContextActivation& one, const ContextActivation& other) {
    return std::tuple(one.offset, one.activation) < std::tuple(other.offset, other.activation);
  };
  return std::lexicographical_compare(of_b.begin(), of_b.end(), of_a.begin(), of_a.end(), before);
}

std::size_t ContextPool::lists() const {
  std::size_t lists = 0;
  for (const auto& size : sizes_) lists += size.used();
  return lists;
}

std::size_t ContextPool::bytes() const {
  std::size_t bytes = 0;
  for (const auto& size : sizes_) bytes += size.bytes();
  return bytes;
}

}  // namespace saetap

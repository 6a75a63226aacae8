#include "plugin/collect/context_pool.h"

#include <algorithm>
#include <bit>
#include <stdexcept>

namespace saetap {

namespace {

// A handle is the size in the high bits and a place in the low ones.
constexpr std::uint32_t kPlaceBits = 27;
constexpr std::uint32_t kMostPlaces = std::uint32_t{1} << kPlaceBits;
constexpr std::uint32_t kNone = kContextNotKnown - 1;  // an empty list

}  // namespace

std::uint32_t ContextPool::add(std::span<const ContextActivation> activations) {
  if (activations.empty()) return kNone;
  const auto number = static_cast<std::uint32_t>(std::bit_width(activations.size() - 1));
  if (number >= kSizes) throw std::length_error("more activations than a sample can have");
  auto& size = sizes_[number];
  const auto room = std::size_t{1} << number;
  if (size.free.empty()) {
    const auto place = size.activations.size() / room;
    if (place >= kMostPlaces) throw std::length_error("activations around too many samples");
    size.free.push_back(static_cast<std::uint32_t>(place));
    size.activations.resize(size.activations.size() + room);
  }
  const auto place = size.free.back();
  size.free.pop_back();
  const auto begin = size.activations.begin() + static_cast<std::ptrdiff_t>(place * room);
  std::fill(std::copy(activations.begin(), activations.end(), begin), begin + static_cast<std::ptrdiff_t>(room),
            ContextActivation{});
  return number << kPlaceBits | place;
}

std::span<const ContextActivation> ContextPool::at(std::uint32_t handle) const {
  if (handle >= kNone) return {};
  const auto room = std::size_t{1} << (handle >> kPlaceBits);
  const auto list =
      std::span(sizes_[handle >> kPlaceBits].activations).subspan((handle & (kMostPlaces - 1)) * room, room);
  const auto end = std::find_if(list.begin(), list.end(), [](const ContextActivation& one) { return one.offset == 0; });
  return list.first(static_cast<std::size_t>(end - list.begin()));
}

std::uint32_t ContextPool::copy(std::uint32_t handle) {
  if (handle >= kNone) return handle;
  const auto list = at(handle);
  return add(std::vector<ContextActivation>(list.begin(), list.end()));
}

void ContextPool::release(std::uint32_t handle) {
  if (handle < kNone) sizes_[handle >> kPlaceBits].free.push_back(handle & (kMostPlaces - 1));
}

std::size_t ContextPool::lists() const {
  std::size_t lists = 0;
  for (std::size_t number = 0; number < kSizes; ++number) {
    lists += (sizes_[number].activations.size() >> number) - sizes_[number].free.size();
  }
  return lists;
}

std::size_t ContextPool::bytes() const {
  std::size_t bytes = 0;
  for (const auto& size : sizes_) {
    bytes += size.activations.capacity() * sizeof(ContextActivation) + size.free.capacity() * sizeof(std::uint32_t);
  }
  return bytes;
}

}  // namespace saetap

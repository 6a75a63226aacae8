// Tells cheaply that a place was surely not met before.
#pragma once

#include <cstdint>
#include <vector>

#include "plugin/trace/token_position.h"

namespace saetap {

// A Bloom filter with two bits per place, 1 MiB. A feature's samples have to be searched for a place only where it may
// be a repeat: without this, filling the tables at the start of a window takes two to three times as long. It fills up
// within a few million places; by then few candidates come, and the only cost is the search.
class PlaceFilter {
 public:
  // Whether the place may have been met before; from now on it has.
  bool meet(const TokenPosition& at) {
    // The sequence id is a hash already, and places without tokens differ in the position, which the product spreads.
    const std::uint64_t hash = (at.sequence ^ (at.position + 1) * 0x9E3779B97F4A7C15ull) * 0xC4CEB9FE1A85EC53ull;
    const bool first = set(hash >> 41);
    const bool second = set(hash >> 18 & (kBits - 1));
    return first && second;
  }
  void clear() { words_.assign(words_.size(), 0); }

 private:
  static constexpr std::uint64_t kBits = std::uint64_t{1} << 23;

  bool set(std::uint64_t bit) {
    std::uint64_t& word = words_[bit / 64];
    const std::uint64_t mask = std::uint64_t{1} << (bit % 64);
    const bool was_set = (word & mask) != 0;
    word |= mask;
    return was_set;
  }

  std::vector<std::uint64_t> words_ = std::vector<std::uint64_t>(kBits / 64);
};

}  // namespace saetap

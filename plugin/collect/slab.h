// Memory for many short runs of elements, all of one length.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace saetap {

// In chunks that never move: a growing vector would copy everything at each doubling and leave half of it unused. A
// place that was given back is the next one taken; a chunk of which every place was given back leaves memory, but for
// one. Not thread-safe.
template <typename Element>
class Slab {
 public:
  // `run`: elements of a place.
  explicit Slab(std::size_t run)
      : run_(run), chunk_bits_(std::bit_width(kChunkBytes / (run * sizeof(Element)) | 1) - 1) {}

  // A place; what is in it is left over from others.
  [[nodiscard]] std::uint32_t take() {
    auto place = next_;
    if (free_.empty()) {
      if (place >> chunk_bits_ == chunks_.size()) chunks_.emplace_back();
    } else {
      place = free_.back();
    }
    Chunk& chunk = chunks_[place >> chunk_bits_];
    if (chunk.elements != nullptr && chunk.used == 0) has_spare_ = false;
    if (chunk.elements == nullptr) chunk.elements = std::make_unique_for_overwrite<Element[]>(run_ << chunk_bits_);
    ++chunk.used;
    ++used_;
    if (free_.empty()) {
      ++next_;
    } else {
      free_.pop_back();
    }
    return place;
  }
  void give_back(std::uint32_t place) {
    free_.push_back(place);
    --used_;
    Chunk& chunk = chunks_[place >> chunk_bits_];
    if (--chunk.used == 0 && std::exchange(has_spare_, true)) chunk.elements = nullptr;
  }
  // Valid until the place is given back.
  [[nodiscard]] std::span<Element> at(std::uint32_t place) const {
    const auto in_chunk = place & ((std::uint32_t{1} << chunk_bits_) - 1);
    return {chunks_[place >> chunk_bits_].elements.get() + in_chunk * run_, run_};
  }

  [[nodiscard]] std::size_t used() const { return used_; }
  // Of the places in use: what was given back in chunks that are in use is not counted.
  [[nodiscard]] std::size_t bytes() const { return used_ * run_ * sizeof(Element); }

 private:
  static constexpr std::size_t kChunkBytes = std::size_t{1} << 18;

  std::size_t run_;
  int chunk_bits_;
  std::uint32_t next_ = 0;  // never taken yet
  std::size_t used_ = 0;
  struct Chunk {
    std::unique_ptr<Element[]> elements;
    std::uint32_t used = 0;
  };
  std::vector<Chunk> chunks_;
  bool has_spare_ = false;  // a chunk in memory that is not used
  std::vector<std::uint32_t> free_;
};

}  // namespace saetap

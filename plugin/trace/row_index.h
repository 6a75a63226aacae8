// The newest rows of one stream of activations, found again by their fingerprints.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace saetap {

// Where a row came from: a place in a remembered sequence.
struct RowOrigin {
  std::uint32_t slot = 0;     // of the sequence, see SequenceMemory
  std::int32_t position = 0;  // in the stripped sequence; kExcludedPosition if the row does not count

  friend bool operator==(const RowOrigin&, const RowOrigin&) = default;
};
inline constexpr std::int32_t kExcludedPosition = -1;

// A ring of (fingerprint, origin), the oldest forgotten first. Rows with equal bits (shared prefixes, repeated
// sequences, embedding layers) are handed out in turn, in the order they were recorded, so that the multiset is right.
// Grows up to its capacity; 48 to 72 bytes a row. Not thread-safe.
class RowIndex {
 public:
  // `forget` is told of each origin that leaves the ring.
  RowIndex(std::size_t capacity, std::function<void(RowOrigin)> forget);

  void record(std::uint64_t fingerprint, RowOrigin origin);
  // The origin of a row with this fingerprint; of several, the one whose turn it is. Nothing if there is none.
  std::optional<RowOrigin> take(std::uint64_t fingerprint);
  [[nodiscard]] bool contains(std::uint64_t fingerprint) const { return find(fingerprint) != kNone; }

  [[nodiscard]] std::size_t size() const { return count_; }

 private:
  static constexpr std::uint32_t kNone = 0xFFFFFFFFu;
  static constexpr std::uint32_t kAllHandedOut = 0xFFFFFFFEu;
  // Rows of one fingerprint form a chain in the order of recording; a slot of the table holds its ends and whose turn
  // it is.
  struct Row {
    std::uint64_t fingerprint;
    RowOrigin origin;
    std::uint32_t next;
  };
  struct Chain {
    std::uint32_t first = kNone;  // kNone: the slot is free
    std::uint32_t last = kNone;
    // Whose turn it is: a row; kNone: the first; kAllHandedOut: a row recorded from now on, and until then the first.
    std::uint32_t turn = kNone;
  };

  [[nodiscard]] std::uint32_t find(std::uint64_t fingerprint) const;  // its place in chains_, or kNone
  [[nodiscard]] std::size_t home(std::uint64_t fingerprint) const { return fingerprint & (chains_.size() - 1); }
  void link(std::uint32_t row);
  void forget_oldest();
  void erase_chain(std::uint32_t place);
  void grow();

  std::size_t capacity_;
  std::function<void(RowOrigin)> forget_;
  std::vector<Row> rows_;  // ring; its size is a power of two until the capacity
  std::size_t oldest_ = 0;
  std::size_t count_ = 0;
  std::vector<Chain> chains_;  // open addressing, at most half full
};

}  // namespace saetap

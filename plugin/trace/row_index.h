// The newest rows of one stream of activations, found again by their exact fingerprints.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

namespace saetap {

// Where a row came from: a place in a remembered sequence.
struct RowOrigin {
  // Rows of padding and boundaries belong to no document, and yet to a sequence slot: that of none.
  static constexpr std::uint32_t kNoSequence = 0xFFFFFFFFu;
  std::uint32_t sequence = kNoSequence;  // slot, see SequenceMemory
  std::uint32_t position : 31 = 0;       // in the document
  std::uint32_t counts : 1 = 0;          // 0: the row is left out: ignored ids and positions

  friend bool operator==(const RowOrigin& a, const RowOrigin& b) {
    return a.sequence == b.sequence && a.position == b.position && a.counts == b.counts;
  }
};

// A ring of (fingerprint, origin), the oldest forgotten first. Rows with equal bits (shared prefixes, repeated
// sequences, embedding layers) form a chain, and are handed out in turn to each reader, in the order they were
// recorded, so that the multiset is right. Grows up to its capacity; 36 bytes a row when full, plus some 50 for each
// set of equal rows that a reader took from. Not thread-safe.
class RowIndex {
 public:
  static constexpr std::uint32_t kNone = 0xFFFFFFFFu;

  struct Forgotten {
    RowOrigin origin;
    std::uint32_t slot = 0;
    std::uint32_t heir = kNone;  // the next row with the same bits, now the first of them
  };
  // `forget` is told of each row that leaves the ring. `capacity`: at most 2^31 rows.
  RowIndex(std::size_t capacity, std::function<void(const Forgotten&)> forget);

  struct Recorded {
    std::uint32_t slot = 0;  // where the row is, until it is forgotten
    bool first = false;      // no other row with these bits is remembered
  };
  Recorded record(std::uint64_t fingerprint, RowOrigin origin);
  // Room for so many rows, or for as many as it holds at most.
  void reserve(std::size_t rows);

  // The slot of a row with this fingerprint; of several, the one whose turn it is for this reader. kNone: there is
  // none.
  std::uint32_t take(int reader, std::uint64_t fingerprint);
  [[nodiscard]] bool contains(std::uint64_t fingerprint) const { return find(fingerprint) != kNone; }

  [[nodiscard]] RowOrigin origin(std::uint32_t slot) const { return rows_[slot].origin; }
  // The slot of the first row with this fingerprint, whoever's turn it is; kNone: there is none.
  [[nodiscard]] std::uint32_t first_of(std::uint64_t fingerprint) const;
  [[nodiscard]] std::uint64_t fingerprint(std::uint32_t slot) const { return rows_[slot].fingerprint; }
  // How many rows were ever recorded; the newest has the number recorded() - 1. Valid for those still in the ring.
  [[nodiscard]] std::uint64_t recorded() const { return recorded_; }
  [[nodiscard]] std::uint32_t slot_of_number(std::uint64_t number) const {
    return static_cast<std::uint32_t>(number % capacity_);
  }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] std::size_t slots() const { return rows_.size(); }
  [[nodiscard]] std::size_t bytes() const;

 private:
  // Rows of one fingerprint form a chain in the order of recording; a place in the table holds its ends.
  struct Row {
    std::uint64_t fingerprint;
    RowOrigin origin;
    std::uint32_t next;
    std::uint32_t
        taken_alone_by;  // readers it went to while no other row had its bits; one bit each, 32 apart share one
  };
  struct Chain {
    std::uint32_t first = kNone;  // kNone: the place is free
    std::uint32_t last = kNone;
  };
  using Cursors = std::unordered_map<std::uint64_t, std::uint64_t>;  // fingerprint -> number of the row taken last

  [[nodiscard]] std::uint32_t find(std::uint64_t fingerprint) const;  // its place in chains_, or kNone
  [[nodiscard]] std::size_t home(std::uint64_t fingerprint) const;
  [[nodiscard]] std::size_t after(std::size_t place) const { return place + 1 < chains_.size() ? place + 1 : 0; }
  [[nodiscard]] std::uint64_t number_of(std::uint32_t slot) const;
  bool link(std::uint32_t row);  // true if it is the first of its chain
  void forget_oldest();
  void erase_chain(std::uint32_t place);
  void grow_to(std::size_t rows);
  void prune(Cursors& cursors) const;

  std::size_t capacity_;
  std::function<void(const Forgotten&)> forget_;
  std::vector<Row> rows_;  // a ring once it has its full size; until then nothing is forgotten
  std::size_t count_ = 0;
  std::uint64_t recorded_ = 0;
  std::vector<Chain> chains_;       // open addressing, at most two thirds full
  std::map<int, Cursors> cursors_;  // by reader: whose turn it is, in chains of several rows
};

}  // namespace saetap

// The robust fingerprints of the rows of a stream, found again by parts of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "plugin/trace/row_signature.h"

namespace saetap {

// Of rows with equal bits only the first is here (see RowIndex, whose slots these are). Two tables, each over 32 bits
// of the signature; 48 bytes a row. Not thread-safe.
class SignatureIndex {
 public:
  static constexpr int kKeyBits = 32;
  static constexpr int kTables = 2;  // table t's key are the bits from t * kKeyBits

  // A row whose key hundreds of others share already is left out: it could not be told from them, and lists that grow
  // without end would cost the training time.
  void record(std::uint32_t slot, const RowSignature& signature);
  void forget(std::uint32_t slot);
  // Another row with the same bits stands for them from now on.
  void replace(std::uint32_t slot, std::uint32_t heir);
  // Room for so many slots.
  void reserve(std::size_t slots);

  [[nodiscard]] static std::uint32_t key(const RowSignature& signature, int table) {
    return static_cast<std::uint32_t>(signature.words[0] >> (table * kKeyBits));
  }
  // Calls visit(slot) for the rows whose key in this table is `key`, and for a few others, until it returns false.
  template <typename Visit>
  void visit(int table, std::uint32_t key, Visit visit) const {
    if (slots_ == 0) return;
    for (auto slot = heads_[place(table, key)]; slot != kNone; slot = links_[link(table, slot)]) {
      if (!visit(slot)) return;
    }
  }
  // All slots in which there is a row.
  template <typename Visit>
  void visit_all(Visit visit) const {
    for (std::uint32_t slot = 0; slot < slots_; ++slot) {
      if (holds(slot)) visit(slot, signatures_[slot]);
    }
  }
  [[nodiscard]] bool holds(std::uint32_t slot) const { return slot < slots_ && links_[link(0, slot)] != kAbsent; }
  [[nodiscard]] const RowSignature& at(std::uint32_t slot) const { return signatures_[slot]; }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] std::size_t slots() const { return slots_; }
  [[nodiscard]] std::size_t bytes() const;

 private:
  static constexpr std::uint32_t kNone = 0xFFFFFFFFu;
  static constexpr std::uint32_t kAbsent = 0xFFFFFFFEu;

  static constexpr int kMostAlike = 256;

  [[nodiscard]] bool crowded(int table, std::uint32_t key) const;
  [[nodiscard]] std::size_t place(int table, std::uint32_t key) const;
  [[nodiscard]] static std::size_t link(int table, std::uint32_t slot) {
    return std::size_t{slot} * kTables + static_cast<std::size_t>(table);
  }
  void insert(int table, std::uint32_t slot);
  // The link that leads to `slot`.
  std::uint32_t& link_to(int table, std::uint32_t slot);

  std::size_t slots_ = 0;
  std::size_t count_ = 0;
  std::vector<RowSignature> signatures_;  // [slots]
  std::vector<std::uint32_t> links_;      // [slots, tables]: the next row of the same place
  std::vector<std::uint32_t> heads_;      // [tables, slots]
};

}  // namespace saetap

// The tokens of the sequences that some remembered row belongs to.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "plugin/trace/token_position.h"

namespace saetap {

// Not thread-safe.
class SequenceMemory : public TokenSource {
 public:
  [[nodiscard]] std::span<const std::int32_t> tokens(SequenceId sequence) const override;
  [[nodiscard]] SequenceId id(std::uint32_t slot) const { return sequences_[slot].id; }
  // One token of the sequence in a slot; `position` lies in it. Valid until a sequence comes or goes.
  [[nodiscard]] const std::int32_t* token(std::uint32_t slot, std::uint32_t position) const {
    return sequences_[slot].tokens.data() + position;
  }

  // The slot of a document with these tokens; it is kept while it has rows.
  std::uint32_t slot_of(std::span<const std::int32_t> document);
  void add_row(std::uint32_t slot) { ++sequences_[slot].rows; }
  void drop_row(std::uint32_t slot);

  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Sequence {
    SequenceId id = 0;
    std::vector<std::int32_t> tokens;
    std::uint64_t rows = 0;  // remembered ones, over all streams
  };
  std::vector<Sequence> sequences_;
  std::vector<std::uint32_t> free_;
  std::unordered_map<SequenceId, std::uint32_t> slots_;
};

}  // namespace saetap

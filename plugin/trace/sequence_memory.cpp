#include "plugin/trace/sequence_memory.h"

namespace saetap {

std::span<const std::int32_t> SequenceMemory::tokens(SequenceId sequence) const {
  const auto found = slots_.find(sequence);
  if (found == slots_.end()) return {};
  return sequences_[found->second].tokens;
}

std::uint32_t SequenceMemory::slot_of(std::span<const std::int32_t> document) {
  const auto id = sequence_id(document);
  const auto [found, is_new] = slots_.try_emplace(id, 0);
  if (!is_new) return found->second;
  if (free_.empty()) {
    found->second = static_cast<std::uint32_t>(sequences_.size());
    sequences_.emplace_back();
  } else {
    found->second = free_.back();
    free_.pop_back();
  }
  sequences_[found->second] = {id, {document.begin(), document.end()}, 0};
  return found->second;
}

void SequenceMemory::drop_row(std::uint32_t slot) {
  auto& sequence = sequences_[slot];
  if (--sequence.rows > 0) return;
  slots_.erase(sequence.id);
  sequence = {};
  free_.push_back(slot);
}

std::size_t SequenceMemory::bytes() const {
  // A node of the map: key, slot, the pointer to the next, and what the allocator adds.
  constexpr std::size_t kNode = 48;
  std::size_t bytes = sequences_.capacity() * sizeof(Sequence) + slots_.size() * kNode +
                      slots_.bucket_count() * sizeof(void*) + free_.capacity() * sizeof(std::uint32_t);
  for (const auto& sequence : sequences_) bytes += sequence.tokens.capacity() * sizeof(std::int32_t);
  return bytes;
}

}  // namespace saetap

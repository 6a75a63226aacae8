#include "plugin/collect/token_counts.h"

namespace saetap {

void TokenCounts::add(std::span<const std::int32_t> row_tokens) {
  for (const std::int32_t token : row_tokens) {
    if (token < 0 || token >= kMostTokenIds) continue;
    const auto id = static_cast<std::size_t>(token);
    Block& block = block_at(id / kTokenBlock);
    ++block.counts[id % kTokenBlock];
    block.changed = true;
    ++total_;
  }
}

void TokenCounts::add(const TokenCounts& other) {
  for (std::size_t number = 0; number < other.blocks(); ++number) add_block(number, other.block(number));
}

void TokenCounts::add_block(std::size_t number, std::span<const std::uint64_t> counts) {
  if (counts.empty()) return;
  Block& block = block_at(number);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    block.counts[i] += counts[i];
    total_ += counts[i];
  }
  block.changed = true;
}

std::span<const std::uint64_t> TokenCounts::block(std::size_t number) const {
  if (number >= blocks_.size() || blocks_[number] == nullptr) return {};
  const auto& counts = blocks_[number]->counts;
  std::size_t end = counts.size();
  while (end > 0 && counts[end - 1] == 0) --end;
  return std::span(counts).first(end);
}

bool TokenCounts::changed(std::size_t number) const {
  return number < blocks_.size() && blocks_[number] != nullptr && blocks_[number]->changed;
}

void TokenCounts::mark_saved() {
  for (const auto& block : blocks_) {
    if (block != nullptr) block->changed = false;
  }
}

std::size_t TokenCounts::bytes() const {
  std::size_t bytes = blocks_.capacity() * sizeof(blocks_[0]);
  for (const auto& block : blocks_) bytes += block == nullptr ? 0 : sizeof(Block);
  return bytes;
}

TokenCounts::Block& TokenCounts::block_at(std::size_t number) {
  if (number >= blocks_.size()) blocks_.resize(number + 1);
  if (blocks_[number] == nullptr) blocks_[number] = std::make_unique<Block>();
  return *blocks_[number];
}

}  // namespace saetap

// How many of the rows that counted were of each token.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace saetap {

// Tokens of this id and above are counted nowhere: no vocabulary has as many, and ids that mean nothing shall not cost
// memory.
inline constexpr std::int32_t kMostTokenIds = 1 << 21;
inline constexpr std::int32_t kTokenBlock = 512;  // ids that are written together

// In blocks of ids, those alone that were met. Not thread-safe.
class TokenCounts {
 public:
  // One token per row; a row without one (kNoToken, or any other id that is not counted) is passed over.
  void add(std::span<const std::int32_t> row_tokens);
  void add(const TokenCounts& other);
  // Counts of the tokens number * kTokenBlock and following, at most kTokenBlock of them; `number` is below
  // kMostTokenIds / kTokenBlock.
  void add_block(std::size_t number, std::span<const std::uint64_t> counts);

  // Blocks have the numbers below this.
  [[nodiscard]] std::size_t blocks() const { return blocks_.size(); }
  // Of the tokens number * kTokenBlock and following, up to the last that was met; empty if none was.
  [[nodiscard]] std::span<const std::uint64_t> block(std::size_t number) const;
  // Whether a block is not as it was at mark_saved().
  [[nodiscard]] bool changed(std::size_t number) const;
  void mark_saved();

  // Of all tokens together.
  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Block {
    std::array<std::uint64_t, kTokenBlock> counts{};
    bool changed = false;
  };
  Block& block_at(std::size_t number);

  std::vector<std::unique_ptr<Block>> blocks_;  // by number; null: none of its tokens was met
  std::uint64_t total_ = 0;
};

}  // namespace saetap

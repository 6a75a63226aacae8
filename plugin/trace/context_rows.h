// Which rows of a batch hold the tokens around a row, where they are all in it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "plugin/trace/token_position.h"

namespace saetap {

// What a batch says of the text around its rows. Not thread-safe to make, safe to read.
class ContextRows {
 public:
  // The context of a row: all rows from `context` tokens before it to `context` after it, cut at the ends of its
  // sequence, in the order of the text.
  struct Around {
    std::span<const std::uint32_t> rows;
    std::uint32_t own = 0;    // index of the row itself in `rows`
    std::uint32_t first = 0;  // index of rows[0] in in_order()
  };

  // `positions`: one for each row. The rows may be in any order; one whose sequence is not known has no context, nor
  // has one where a place of its context is missing, or is there twice and not in the order of the text.
  ContextRows(std::span<const TokenPosition> positions, const TokenSource& tokens, std::uint32_t context);

  [[nodiscard]] std::optional<Around> around(std::uint32_t row) const;
  // Row numbers in the order of the text: each context is a part of them. Rows that have none may be left out.
  [[nodiscard]] std::span<const std::uint32_t> in_order() const { return order_; }
  // No row has a context.
  [[nodiscard]] bool empty() const { return runs_.empty(); }

 private:
  // Rows of one sequence whose positions follow each other.
  struct Run {
    std::uint32_t first = 0;  // index into order_
    std::uint32_t count = 0;
    std::uint32_t position = 0;  // of the first
    std::uint32_t length = 0;    // of the sequence
  };
  static constexpr std::uint32_t kNoRun = 0xFFFFFFFFu;
  // Where a row is.
  struct Place {
    std::uint32_t run = kNoRun;
    std::uint32_t at = 0;  // index into order_
  };

  void sort_rows(std::span<const TokenPosition> positions);
  void find_runs(std::span<const TokenPosition> positions, const TokenSource& tokens);

  std::uint32_t context_;
  std::vector<std::uint32_t> order_;  // row numbers, those of a run in the order of the text
  std::vector<Run> runs_;
  std::vector<Place> places_;  // [rows]
};

}  // namespace saetap

// One row of a model's tokens cut into documents: what is text, what counts, and what only frames it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace saetap {

// Which tokens never count, and which show where a document begins or ends.
struct TokenRules {
  std::vector<std::int32_t> ignored_ids;   // special tokens, padding: no samples; also stripped from a document's ends
  std::vector<std::int32_t> boundary_ids;  // BOS, EOS, separators: no context reaches across one
  std::int64_t first_positions = 0;        // so many tokens at the start of each document never count

  // Sorts the ids and removes repeats; split_documents expects it.
  void normalise();
};

struct Document {
  std::size_t first = 0;  // of the row's tokens
  std::size_t length = 0;
};

// Where one token of the row is.
struct TokenPlace {
  static constexpr std::int32_t kNoDocument = -1;
  std::int32_t document = kNoDocument;  // index into SplitRow::documents; none: padding, boundaries, stripped ends
  std::int32_t position = 0;            // in the document
  bool counts = false;
};

struct SplitRow {
  std::vector<Document> documents;  // in order, none empty
  std::vector<TokenPlace> places;   // one per token
};

// `attended`: the model's attention mask of this row, one per token, 0: not attended to; empty: all are.
// A boundary token ends a document on both sides of it and belongs to none. Ignored and unattended tokens are stripped
// from the ends of each document; between its ends they stay in the text and do not count.
[[nodiscard]] SplitRow split_documents(std::span<const std::int32_t> tokens, std::span<const std::uint8_t> attended,
                                       const TokenRules& rules);

}  // namespace saetap

// A file of tokens, in rows, and which of them have a row of activations.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hooks/libtorch.h"
#include "integrations/index/index_request.h"

namespace saetap::index {

// Some rows of tokens; one entry per token each.
struct TokenRows {
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> attended;
  std::vector<std::uint8_t> has_row;
  std::int64_t with_row = 0;
};

class TokenFile {
 public:
  // `path`: a tensor [rows, length] of integers, or a flat one, or int32 ids without a header (.bin). `mask_path`: the
  // same shape, 1 or true where a token is attended to; empty: everywhere. Throws cli::Failure that begins with the
  // path, here and in read().
  TokenFile(std::string path, std::string mask_path, const IndexRequest& request);

  [[nodiscard]] std::int64_t rows() const { return ids_.size(0); }
  [[nodiscard]] std::int64_t length() const { return ids_.size(1); }

  // "tokens.npy, [24, 10] of int32", with the rows that --length made
  [[nodiscard]] std::string text() const;

  // Rows [first, first + count).
  [[nodiscard]] TokenRows read(std::int64_t first, std::int64_t count) const;

 private:
  std::string path_, mask_path_;
  at::Tensor ids_;                         // [rows, length], some integer type
  at::Tensor mask_;                        // the same shape; undefined: all are attended to
  std::vector<std::int64_t> omitted_ids_;  // sorted
  bool omit_masked_;
};

}  // namespace saetap::index

// A file of tokens, in rows, and which of them have a row of activations.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "hooks/libtorch.h"

namespace saetap::tensors {

// How the tokens of a file are read.
struct TokenReading {
  std::int64_t length = 0;                // tokens in a row; 0: as the file has it
  std::vector<std::int64_t> omitted_ids;  // tokens of these ids have no row of activations
  bool omit_masked = false;               // nor have those that the mask leaves out

  [[nodiscard]] bool omits() const { return !omitted_ids.empty() || omit_masked; }
};

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
  TokenFile(std::string path, std::string mask_path, const TokenReading& reading);

  [[nodiscard]] std::int64_t rows() const { return ids_.size(0); }
  [[nodiscard]] std::int64_t length() const { return ids_.size(1); }
  [[nodiscard]] const std::string& path() const { return path_; }

  // "tokens.npy, [24, 10] of int32", with the rows that --length made
  [[nodiscard]] std::string text() const;

  // Rows [first, first + count).
  [[nodiscard]] TokenRows read(std::int64_t first, std::int64_t count) const;
  // Calls work(rows) for all of them in order, so many at once as fit into memory.
  void for_each(const std::function<void(const TokenRows&)>& work) const;

 private:
  std::string path_, mask_path_;
  at::Tensor ids_;                         // [rows, length], some integer type
  at::Tensor mask_;                        // the same shape; undefined: all are attended to
  std::vector<std::int64_t> omitted_ids_;  // sorted
  bool omit_masked_;
};

// How many there are, and how many have a row; at least one has to be attended to. Looks at every token: throws as
// read() does.
struct TokenCounts {
  std::int64_t all = 0;
  std::int64_t with_row = 0;
};
[[nodiscard]] TokenCounts count_tokens(const TokenFile& tokens);

// One for each path. `masks`: as many, or none. Throws cli::Failure.
[[nodiscard]] std::vector<TokenFile> open_token_files(const std::vector<std::string>& paths,
                                                      const std::vector<std::string>& masks,
                                                      const TokenReading& reading);

}  // namespace saetap::tensors

// Rows of activations in their order, with the tokens they are of, cut as an SAE is to get them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hooks/libtorch.h"
#include "integrations/tensors/token_file.h"

namespace saetap::collect {

struct RowBatch {
  at::Tensor rows;                     // [n, d]; may lie in a file, to be read and not written
  std::vector<std::int32_t> ids;       // the texts that the rows are of, whole; empty: tokens are not known
  std::vector<std::uint8_t> attended;  // one for each of `ids`
  std::size_t length = 0;              // tokens in a text
  std::vector<std::int64_t> places;    // of each row, in `ids`
};

// Not thread-safe. Whatever reads files or runs a model throws cli::Failure, one line that names the file.
class RowSource {
 public:
  virtual ~RowSource() = default;

  // How many come in all.
  [[nodiscard]] virtual std::int64_t rows() const = 0;

  // The next `count` rows; fewer at the end, and where texts of another length begin.
  [[nodiscard]] RowBatch next(std::int64_t count);
  // Passes over the next rows, computing and reading only what it must.
  void skip(std::int64_t count);

 protected:
  // What is read or computed at once.
  struct Piece {
    std::int64_t rows = 0;
    tensors::TokenRows tokens;  // of whole texts; empty: not known
    std::int64_t length = 0;    // tokens in a text
    std::string where;          // for people
  };
  // Nothing at the end.
  virtual std::optional<Piece> next_piece() = 0;
  // Of each piece in its order one of these: all its rows, or they are not needed.
  virtual at::Tensor rows_of(const Piece& piece) = 0;
  virtual void pass_over(const Piece&) {}

 private:
  bool open_next();
  void close();
  void append_tokens(std::int64_t count, RowBatch& batch) const;

  std::optional<Piece> open_;
  at::Tensor rows_;                   // of it; undefined: not computed yet
  std::vector<std::int64_t> places_;  // of its rows, in its tokens
  std::int64_t taken_ = 0;            // of its rows
};

// Walks over files of tokens, some texts at a time.
class TextWalk {
 public:
  // `texts`: how many at a time; 0: as many as are quickly read.
  TextWalk(std::vector<tensors::TokenFile> files, std::int64_t texts);

  struct Texts {
    tensors::TokenRows tokens;
    std::int64_t length = 0;
    std::size_t file = 0;  // which of the files
    std::string where;     // "rows 32 to 63 of tokens.npy"
  };
  [[nodiscard]] std::optional<Texts> next();

 private:
  std::vector<tensors::TokenFile> files_;
  std::int64_t texts_;
  std::size_t file_ = 0;
  std::int64_t text_ = 0;  // of it
};

}  // namespace saetap::collect

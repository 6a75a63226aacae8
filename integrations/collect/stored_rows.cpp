#include "integrations/collect/stored_rows.h"

#include <utility>

#include "integrations/cli/failure.h"

namespace saetap::collect {

namespace {

class RowsAlone : public RowSource {
 public:
  explicit RowsAlone(tensors::ActivationFiles files) : files_(std::move(files)), left_(files_.rows()) {}

  [[nodiscard]] std::int64_t rows() const override { return files_.rows(); }

 protected:
  std::optional<Piece> next_piece() override {
    constexpr std::int64_t kRowsAtOnce = 4096;
    if (left_ == 0) return std::nullopt;
    Piece piece;
    piece.rows = std::min(kRowsAtOnce, left_);
    left_ -= piece.rows;
    return piece;
  }
  at::Tensor rows_of(const Piece& piece) override { return files_.next(piece.rows); }
  void pass_over(const Piece& piece) override { files_.skip(piece.rows); }

 private:
  tensors::ActivationFiles files_;
  std::int64_t left_;
};

class RowsOfTokens : public RowSource {
 public:
  explicit RowsOfTokens(std::vector<tensors::Shard> shards) : walk_(files_of(shards), 0) {
    for (auto& shard : shards) {
      rows_ += shard.activations.rows();
      activations_.push_back(std::move(shard.activations));
    }
  }

  [[nodiscard]] std::int64_t rows() const override { return rows_; }

 protected:
  std::optional<Piece> next_piece() override {
    auto texts = walk_.next();
    if (!texts) return std::nullopt;
    file_ = texts->file;
    const auto rows = texts->tokens.with_row;
    return Piece{rows, std::move(texts->tokens), texts->length, texts->where};
  }
  at::Tensor rows_of(const Piece& piece) override { return activations_[file_].next(piece.rows); }
  void pass_over(const Piece& piece) override { activations_[file_].skip(piece.rows); }

 private:
  static std::vector<tensors::TokenFile> files_of(const std::vector<tensors::Shard>& shards) {
    std::vector<tensors::TokenFile> files;
    for (const auto& shard : shards) files.push_back(shard.tokens);
    return files;
  }

  TextWalk walk_;
  std::vector<tensors::ActivationFiles> activations_;  // of each file of tokens
  std::int64_t rows_ = 0;
  std::size_t file_ = 0;  // that the latest piece is of
};

void check_width(const std::string& path, std::int64_t width, const std::set<std::int64_t>& widths) {
  if (widths.empty() || widths.contains(width)) return;
  throw cli::Failure(cli::Status::bad_input, path + ": rows of width " + std::to_string(width) +
                                                 ", and the SAE takes rows of width " +
                                                 std::to_string(*widths.begin()));
}

}  // namespace

std::unique_ptr<RowSource> stored_rows(const tensors::ShardRequest& request, const std::set<std::int64_t>& widths) {
  const auto& first = request.activations.front();
  if (request.tokens.empty()) {
    tensors::ActivationFiles files(request.activations);
    check_width(first, files.width(), widths);
    return std::make_unique<RowsAlone>(std::move(files));
  }
  auto shards = tensors::open_shards(request);
  check_width(first, shards.front().activations.width(), widths);
  return std::make_unique<RowsOfTokens>(std::move(shards));
}

}  // namespace saetap::collect

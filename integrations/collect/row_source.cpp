#include "integrations/collect/row_source.h"

#include <algorithm>
#include <iterator>

namespace saetap::collect {

namespace {

constexpr std::int64_t kTokensAtOnce = 8192;

std::vector<std::int64_t> places_with_row(const tensors::TokenRows& tokens) {
  std::vector<std::int64_t> places;
  places.reserve(static_cast<std::size_t>(tokens.with_row));
  for (std::size_t i = 0; i < tokens.has_row.size(); ++i) {
    if (tokens.has_row[i] != 0) places.push_back(static_cast<std::int64_t>(i));
  }
  return places;
}

}  // namespace

bool RowSource::open_next() {
  while ((open_ = next_piece())) {
    if (open_->rows > 0) {
      places_ = places_with_row(open_->tokens);
      return true;
    }
    pass_over(*open_);  // every token of it was omitted
  }
  return false;
}

void RowSource::close() {
  open_.reset();
  rows_.reset();
  taken_ = 0;
}

// The texts that the next `count` rows are of, whole: a context reaches beyond the rows of a batch.
void RowSource::append_tokens(std::int64_t count, RowBatch& batch) const {
  if (open_->tokens.ids.empty()) return;
  const auto length = open_->length;
  const auto first = places_[static_cast<std::size_t>(taken_)] / length * length;
  const auto last = (places_[static_cast<std::size_t>(taken_ + count - 1)] / length + 1) * length;
  const auto shift = static_cast<std::int64_t>(batch.ids.size()) - first;
  const auto add = [&](const auto& from, auto& to) { to.insert(to.end(), from.begin() + first, from.begin() + last); };
  add(open_->tokens.ids, batch.ids);
  add(open_->tokens.attended, batch.attended);
  for (auto row = taken_; row < taken_ + count; ++row) {
    batch.places.push_back(places_[static_cast<std::size_t>(row)] + shift);
  }
}

RowBatch RowSource::next(std::int64_t count) {
  RowBatch batch;
  std::vector<at::Tensor> parts;
  while (count > 0 && (open_ || open_next())) {
    const auto length = static_cast<std::size_t>(open_->length);
    if (!parts.empty() && length != batch.length) break;
    batch.length = length;
    if (!rows_.defined()) rows_ = rows_of(*open_);
    const auto taken = std::min(count, open_->rows - taken_);
    append_tokens(taken, batch);
    parts.push_back(rows_.slice(0, taken_, taken_ + taken));
    taken_ += taken;
    count -= taken;
    if (taken_ == open_->rows) close();
  }
  if (parts.size() == 1) batch.rows = parts.front();
  if (parts.size() > 1) batch.rows = at::cat(parts);
  return batch;
}

void RowSource::skip(std::int64_t count) {
  while (count > 0 && (open_ || open_next())) {
    const auto left = open_->rows - taken_;
    if (count < left) {
      taken_ += count;
      return;
    }
    count -= left;
    if (!rows_.defined()) pass_over(*open_);
    close();
  }
}

TextWalk::TextWalk(std::vector<tensors::TokenFile> files, std::int64_t texts)
    : files_(std::move(files)), texts_(texts) {}

std::optional<TextWalk::Texts> TextWalk::next() {
  if (file_ < files_.size() && text_ == files_[file_].rows()) {
    ++file_;
    text_ = 0;
  }
  if (file_ == files_.size()) return std::nullopt;
  const auto& file = files_[file_];
  const auto at_once = texts_ > 0 ? texts_ : std::max<std::int64_t>(1, kTokensAtOnce / file.length());
  const auto count = std::min(at_once, file.rows() - text_);
  Texts texts{file.read(text_, count), file.length(), file_, ""};
  texts.where = "rows " + std::to_string(text_) + " to " + std::to_string(text_ + count - 1) + " of " + file.path();
  text_ += count;
  return texts;
}

}  // namespace saetap::collect

#include "plugin/trace/row_file_reader.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace saetap {

namespace fs = std::filesystem;

RowFileReader::RowFileReader(const std::string& path) {
  std::error_code failed;
  const auto status = fs::status(path, failed);
  // Opening a pipe would wait for ever.
  if (fs::exists(status) && !fs::is_regular_file(status)) throw RowFileError("it is no regular file");
  file_.open(path, std::ios::binary);
  if (!file_) throw RowFileError(std::strerror(errno));
  const auto size = fs::file_size(path, failed);
  if (failed) throw RowFileError(failed.message());
  left_ = size;
  if (left_ < kRowFileStart) throw RowFileError("it is no file of saetap index");
  fill(kRowFileStart);
  first_batch_ = head_bytes(bytes_);
  fill(first_batch_);
  head_ = decode_head(bytes_);
  if (head_.file_bytes != size) {
    throw RowFileError(std::string(size < head_.file_bytes ? "it is cut short: " : "something was added to it: ") +
                       std::to_string(size) + " bytes are there, " + std::to_string(head_.file_bytes) +
                       " were written");
  }
}

void RowFileReader::rewind() {
  file_.clear();
  file_.seekg(static_cast<std::streamoff>(first_batch_));
  left_ = head_.file_bytes - first_batch_;
  rows_ = sequences_ = tokens_ = 0;
}

void RowFileReader::fill(std::size_t bytes) {
  const auto begin = bytes_.size();
  if (bytes - begin > left_) throw RowFileError("it is cut short");
  bytes_.resize(bytes);
  file_.read(reinterpret_cast<char*>(bytes_.data() + begin), static_cast<std::streamsize>(bytes - begin));
  if (!file_) throw RowFileError("it cannot be read to its end");
  left_ -= bytes - begin;
}

bool RowFileReader::next(RowFileBatch& batch) {
  const bool with_signatures = head_.pairs.has_value();
  if (left_ == 0) {
    if (rows_ == head_.rows && sequences_ == head_.sequences && tokens_ == head_.tokens) return false;
    throw RowFileError("it is damaged: " + std::to_string(rows_) + " rows and " + std::to_string(tokens_) +
                       " tokens are there, its head says " + std::to_string(head_.rows) + " and " +
                       std::to_string(head_.tokens));
  }
  bytes_.clear();
  fill(kBatchStart);
  fill(batch_bytes(bytes_, with_signatures, left_ + kBatchStart));
  decode_batch(bytes_, with_signatures, batch);
  if (batch.first_sequence != sequences_) {
    throw RowFileError("it is damaged: sequence " + std::to_string(sequences_) + " should follow, not " +
                       std::to_string(batch.first_sequence));
  }
  sequences_ += batch.ids.size() / batch.length;
  tokens_ += batch.ids.size();
  rows_ += batch.rows.size();
  return true;
}

}  // namespace saetap

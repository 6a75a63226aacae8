// Reads an index file batch by batch, and believes nothing in it.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "plugin/trace/row_file_format.h"

namespace saetap {

// Every function throws RowFileError without the path: no index file, another version, cut short, damaged. No more is
// allocated than the file has bytes. Not thread-safe.
class RowFileReader {
 public:
  explicit RowFileReader(const std::string& path);

  [[nodiscard]] const RowFileHead& head() const { return head_; }

  // The next batch, whose checksum was right; false at the end, where everything that the head says was there.
  bool next(RowFileBatch& batch);
  // Before the first batch again.
  void rewind();

 private:
  // Reads on until `bytes_` holds so many.
  void fill(std::size_t bytes);

  std::ifstream file_;
  RowFileHead head_;
  std::size_t first_batch_ = 0;  // its offset
  std::uint64_t left_ = 0;       // bytes of the file
  std::uint64_t rows_ = 0, sequences_ = 0, tokens_ = 0;
  std::vector<std::byte> bytes_;
};

}  // namespace saetap

// Writes an index file as rows come, in bounded memory.
#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plugin/trace/row_file_format.h"
#include "plugin/trace/row_matrix.h"

namespace saetap {

// The file is there whole or not at all: a temporary one beside it, which only its owner can read since it holds text,
// becomes it at the end. Every function throws RowFileError that names `path`. Not thread-safe; `parallel` spreads the
// work of one call.
class RowFileWriter {
 public:
  // `pairs`: chosen from rows of this stream, see DimensionPairs::choose; nothing: exact fingerprints alone.
  RowFileWriter(const std::string& path, std::string name, std::size_t width, std::optional<DimensionPairs> pairs,
                ParallelFor parallel = serial_for);
  ~RowFileWriter();
  RowFileWriter(const RowFileWriter&) = delete;
  RowFileWriter& operator=(const RowFileWriter&) = delete;

  // Where the file is until finish(); it goes with the writer, but not if the process is killed.
  [[nodiscard]] const std::string& temporary() const { return temporary_; }

  // Adds rows of tokens. `has_row`: one per token, 0: no row was stored for it; empty: all have one. `rows`: those, in
  // the order of the tokens; the values may be null where there are no pairs. All of it is in memory once more while
  // this runs.
  void add(const TokenMatrix& tokens, std::span<const std::uint8_t> has_row, const RowMatrix& rows);

  // The file has its name, and is on the disk, when this returns. Nothing is called after it.
  RowFileHead finish();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  [[noreturn]] void fail(const std::string& reason) const;
  void write(std::span<const std::byte> bytes);

  std::string path_;
  std::string target_;     // what `path` leads to
  std::string temporary_;  // empty: there is none
  std::unique_ptr<std::FILE, Close> file_;
  ParallelFor parallel_;
  RowFileHead head_;
  RowFileBatch batch_;
  std::vector<std::byte> bytes_;
};

}  // namespace saetap

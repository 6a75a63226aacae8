#include "plugin/trace/row_file_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace saetap {

namespace fs = std::filesystem;

namespace {

// The rename itself has to reach the disk. Not every file system can do it, and then there is nothing more to be done.
void sync_folder_of(const std::string& path) {
  const auto folder = fs::path(path).parent_path();
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

RowFileWriter::RowFileWriter(const std::string& path, std::string name, std::size_t width,
                             std::optional<DimensionPairs> pairs, ParallelFor parallel)
    : path_(path), target_(path), parallel_(std::move(parallel)) {
  if (!is_row_file_name(name)) {
    fail("its stream's name has to have 1 to " + std::to_string(kLongestRowFileName) +
         " bytes and no control characters");
  }
  head_.name = std::move(name);
  head_.width = width;
  head_.pairs = std::move(pairs);
  std::error_code unknown;
  const auto status = fs::status(path, unknown);
  if (fs::exists(status) && !fs::is_regular_file(status)) fail("it is no regular file");
  if (fs::exists(status)) target_ = fs::canonical(path, unknown).string();
  const auto temporary = target_ + ".part" + std::to_string(::getpid());
  ::unlink(temporary.c_str());  // of a process that was killed and had our number
  const int descriptor = ::open(temporary.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (descriptor < 0) fail(std::strerror(errno));
  temporary_ = temporary;
  file_.reset(::fdopen(descriptor, "wb"));
  write(encode(head_));  // room for the real one
}

RowFileWriter::~RowFileWriter() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void RowFileWriter::fail(const std::string& reason) const {
  throw RowFileError(path_ + " cannot be written: " + reason);
}

void RowFileWriter::write(std::span<const std::byte> bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) fail(std::strerror(errno));
}

void RowFileWriter::add(const TokenMatrix& tokens, std::span<const std::uint8_t> has_row, const RowMatrix& rows) {
  const auto count = tokens.ids.size();
  const auto with_row =
      has_row.empty() ? count : count - static_cast<std::size_t>(std::ranges::count(has_row, std::uint8_t{0}));
  const bool fits = tokens.length > 0 && count % tokens.length == 0 && rows.width == head_.width &&
                    (tokens.attended.empty() || tokens.attended.size() == count) &&
                    (has_row.empty() || has_row.size() == count) && rows.count() == with_row &&
                    (rows.values != nullptr || rows.count() == 0 || !head_.pairs);
  if (!fits) {
    fail(std::to_string(with_row) + " tokens were to have a row, and there are " + std::to_string(rows.count()) +
         " rows of width " + std::to_string(rows.width));
  }
  if (count == 0) return;
  if (head_.rows + rows.count() > kMostFileRows) {
    fail("it would have more than " + std::to_string(kMostFileRows) + " rows: write several files");
  }
  batch_.first_sequence = head_.sequences;
  batch_.length = tokens.length;
  batch_.ids.assign(tokens.ids.begin(), tokens.ids.end());
  batch_.flags.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const bool attended = tokens.attended.empty() || tokens.attended[i] != 0;
    const bool row = has_row.empty() || has_row[i] != 0;
    batch_.flags[i] = static_cast<std::uint8_t>((attended ? kAttended : 0) | (row ? kHasRow : 0));
  }
  batch_.rows.resize(rows.count());
  parallel_(rows.count(), [&](std::size_t first, std::size_t last) {
    for (auto row = first; row < last; ++row) {
      batch_.rows[row] = {rows.fingerprints[row], head_.pairs ? head_.pairs->sign(rows.row(row)) : RowSignature{}};
    }
  });
  encode(batch_, head_.pairs.has_value(), bytes_);
  write(bytes_);
  head_.rows += rows.count();
  head_.sequences += count / tokens.length;
  head_.tokens += count;
}

RowFileHead RowFileWriter::finish() {
  const auto end = std::ftell(file_.get());
  if (end < 0) fail(std::strerror(errno));
  head_.file_bytes = static_cast<std::uint64_t>(end);
  if (std::fseek(file_.get(), 0, SEEK_SET) != 0) fail(std::strerror(errno));
  write(encode(head_));
  if (std::fflush(file_.get()) != 0 || ::fsync(::fileno(file_.get())) != 0) fail(std::strerror(errno));
  if (std::fclose(file_.release()) != 0) fail(std::strerror(errno));
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail(std::strerror(errno));
  temporary_.clear();
  sync_folder_of(target_);
  return head_;
}

}  // namespace saetap

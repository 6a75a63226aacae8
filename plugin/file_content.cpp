#include "plugin/file_content.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace saetap {

std::string file_content(const std::string& path, std::size_t most_bytes) {
  std::error_code failed;
  const auto status = std::filesystem::status(path, failed);
  if (failed) throw FileError(failed.message());
  // Opening a pipe would wait for ever, a device may have no end, and a folder reads as empty.
  if (!std::filesystem::is_regular_file(status)) throw FileError("not a file");
  const auto size = std::filesystem::file_size(path, failed);
  if (failed) throw FileError(failed.message());
  if (size > most_bytes) throw FileError("larger than " + std::to_string(most_bytes >> 20) + " MiB");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw FileError(std::strerror(errno));
  std::string bytes(static_cast<std::size_t>(size), '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(size));
  if (file.bad()) throw FileError("cannot be read");
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

}  // namespace saetap

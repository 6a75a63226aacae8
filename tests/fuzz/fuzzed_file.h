// The bytes of one try as a file, in memory where the system has such a place.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "tests/core/pipeline.h"

namespace saetap::testing {

// `name` tells some readers the format. The same file for every try.
inline std::string fuzzed_file(const std::string& name, const void* bytes, std::size_t size) {
  static const auto* const folder = new TemporaryFolder();
  static const bool removed_at_exit = std::atexit([] { delete folder; }) == 0;
  std::string path = folder->file(name);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (!removed_at_exit || file < 0 || ::write(file, bytes, size) != static_cast<ssize_t>(size)) std::abort();
  ::close(file);
  return path;
}

}  // namespace saetap::testing

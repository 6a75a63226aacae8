// The content of a file that people wrote, or say they did: a config, a tokenizer.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

namespace saetap {

// The reason alone; who asked for the file names it.
class FileError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// All of it. Throws FileError: not there, not allowed, no regular file, or more than `most_bytes`.
[[nodiscard]] std::string file_content(const std::string& path, std::size_t most_bytes);

}  // namespace saetap

// A file's bytes, as tests of damaged files read and write them.
#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace saetap::testing {

inline std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void write_bytes(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace saetap::testing

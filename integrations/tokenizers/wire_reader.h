// Reads the fields of a Protocol Buffers message, without the library: torch brings symbols of one of its own, and a
// second would clash with it (docs/dependencies.md).
#pragma once

#include <cstdint>
#include <string_view>

namespace saetap {

struct WireField {
  std::uint32_t number = 0;
  std::uint64_t value = 0;  // of a varint; what is of a fixed size is passed over and has none
  std::string_view bytes;   // of a text, bytes or message: a view into the message
  bool has_bytes = false;
};

class WireReader {
 public:
  // The message must outlive the reader and its fields.
  explicit WireReader(std::string_view message) : rest_(message) {}

  // The next field, false at the end. Throws TokenizerError: the message is cut off or is none.
  [[nodiscard]] bool next(WireField& field);

 private:
  [[nodiscard]] std::uint64_t varint();
  [[nodiscard]] std::string_view take(std::uint64_t bytes);

  std::string_view rest_;
};

}  // namespace saetap

// numpy's .npy: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#include <array>
#include <charconv>
#include <cstring>
#include <string_view>

#include "integrations/tensor_files/stored_tensor.h"
#include "integrations/tensor_files/tensor_file_error.h"

namespace saetap::tensors {

namespace {

struct Type {
  std::string_view code;
  NumberType type;
};
constexpr std::array<Type, 12> kTypes{{{"f4", NumberType::f32},
                                       {"f2", NumberType::f16},
                                       {"f8", NumberType::f64},
                                       {"i4", NumberType::i32},
                                       {"i8", NumberType::i64},
                                       {"i2", NumberType::i16},
                                       {"i1", NumberType::i8},
                                       {"u1", NumberType::u8},
                                       {"u2", NumberType::u16},
                                       {"u4", NumberType::u32},
                                       {"u8", NumberType::u64},
                                       {"b1", NumberType::boolean}}};

NumberType type_of(std::string_view descr) {
  const bool readable = descr.size() == 3 && (descr[0] == '<' || descr[0] == '|');
  for (const auto& [code, type] : kTypes) {
    if (readable && descr.substr(1) == code) return type;
  }
  refuse("an array of type '" + std::string(descr) + "'; little-endian floats, integers and booleans can be read");
}

// The header is a Python literal, {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, its keys in any order.
class Header {
 public:
  explicit Header(std::string_view text) : left_(text) {
    expect('{');
    while (!met('}')) {
      const auto key = quoted();
      expect(':');
      if (key == "descr") {
        if (peek() != '\'' && peek() != '"') refuse("an array of records; one number per element can be read");
        descr = quoted();
      } else if (key == "fortran_order") {
        fortran_order = word() == "True";
      } else if (key == "shape") {
        shape = numbers();
      } else {
        damaged();
      }
      if (!met(',') && peek() != '}') damaged();
    }
    if (descr.empty()) damaged();
  }

  std::string_view descr;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;

 private:
  [[noreturn]] static void damaged() { refuse("its .npy header is damaged"); }
  char peek() {
    left_.remove_prefix(std::min(left_.find_first_not_of(' '), left_.size()));
    return left_.empty() ? '\0' : left_.front();
  }
  bool met(char wanted) {
    if (peek() != wanted || left_.empty()) return false;
    left_.remove_prefix(1);
    return true;
  }
  void expect(char wanted) {
    if (!met(wanted)) damaged();
  }
  std::string_view taken(std::size_t count) {
    const auto text = left_.substr(0, count);
    left_.remove_prefix(count);
    return text;
  }
  std::string_view quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') damaged();
    left_.remove_prefix(1);
    const auto end = left_.find(quote);
    if (end == std::string_view::npos) damaged();
    const auto text = taken(end);
    left_.remove_prefix(1);
    return text;
  }
  std::string_view word() {
    peek();
    return taken(std::min(left_.find_first_of(",} "), left_.size()));
  }
  std::vector<std::int64_t> numbers() {
    std::vector<std::int64_t> all;
    expect('(');
    while (!met(')')) {
      peek();
      auto& number = all.emplace_back();
      const auto [end, error] = std::from_chars(left_.data(), left_.data() + left_.size(), number);
      if (error != std::errc() || number < 0) damaged();
      left_.remove_prefix(static_cast<std::size_t>(end - left_.data()));
      if (!met(',') && peek() != ')') damaged();
    }
    return all;
  }

  std::string_view left_;
};

}  // namespace

StoredTensor npy_tensor(std::span<const std::byte> file) {
  constexpr std::size_t kVersion = 6, kLength = 8;
  if (file.size() < kLength + 4) refuse("it is cut short");
  const auto version = std::to_integer<int>(file[kVersion]);
  if (version < 1 || version > 3) refuse("version " + std::to_string(version) + " of .npy; 1 to 3 can be read");
  std::uint32_t length = 0;
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  std::memcpy(&length, file.data() + kLength, length_bytes);
  const auto offset = kLength + length_bytes + length;
  if (offset > file.size()) refuse("it is cut short");
  const Header header({reinterpret_cast<const char*>(file.data()) + kLength + length_bytes, length});
  const StoredTensor tensor{.name = "", .type = type_of(header.descr), .shape = header.shape, .offset = offset};
  if (header.fortran_order && header.shape.size() > 1) {
    refuse("an array in Fortran order; save numpy.ascontiguousarray of it");
  }
  check_room(tensor, file.size());
  const auto promised = *tensor_bytes(tensor.type, tensor.shape);
  if (promised != file.size() - offset) {
    refuse("there are " + std::to_string(file.size() - offset) + " bytes behind its header, which promises " +
           shape_text(tensor) + ", " + std::to_string(promised) + " bytes");
  }
  return tensor;
}

}  // namespace saetap::tensors

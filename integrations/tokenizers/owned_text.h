// Text that still knows which token each of its bytes came from, so that decoders may join, drop and replace entries as
// the reference does and the result can yet be handed out token by token.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace saetap {

// Of any one text. Replacements of replacements may ask for more than a machine has; real windows have some kilobytes.
inline constexpr std::size_t kLongestText = std::size_t{1} << 20;

class TextTooLong : public std::runtime_error {
 public:
  TextTooLong() : std::runtime_error("its text is longer than 1 MiB") {}
};

// Whatever makes a text longer throws TextTooLong beyond kLongestText bytes.
class OwnedText {
 public:
  // `owner` is the place of the token in its run. It owns whatever is put into the text while it is empty.
  explicit OwnedText(std::uint32_t owner) : empty_owner_(owner) {}
  OwnedText(std::string_view text, std::uint32_t owner) : empty_owner_(owner) { append(text, owner); }

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }
  [[nodiscard]] std::uint32_t owner(std::size_t byte) const { return owners_[byte]; }

  // Owners never descend: what is appended comes from the same token as the end, or from a later one.
  void append(std::string_view text, std::uint32_t owner);
  void append(const OwnedText& other);
  // The owner of the first byte, or that of the empty text, owns it.
  void prepend(std::string_view text);
  // Drops all but the bytes [begin, end).
  void keep(std::size_t begin, std::size_t end);
  // Every occurrence, left to right. Whoever owns the last byte of an occurrence owns what replaces it. An empty `from`
  // occurs before every character and at the end.
  void replace_all(std::string_view from, std::string_view to);

 private:
  void check_room(std::size_t bytes) const {
    if (bytes > kLongestText - text_.size()) throw TextTooLong();
  }
  void insert_around_characters(std::string_view inserted);

  std::string text_;
  std::vector<std::uint32_t> owners_;  // one per byte
  std::uint32_t empty_owner_;
};

// Valid UTF-8 of any bytes: one U+FFFD for each maximal part of a character that is not there whole, as Rust's
// from_utf8_lossy and Python's errors="replace" write it. A character made by several tokens belongs to the last.
[[nodiscard]] OwnedText utf8_lossy(const OwnedText& bytes);

// Throws TextTooLong if all the parts together are longer than one text may be.
void check_length(std::span<const OwnedText> parts);

// The text of each of `tokens` tokens. Throws as check_length.
[[nodiscard]] std::vector<std::string> pieces_of(std::span<const OwnedText> parts, std::size_t tokens);

}  // namespace saetap

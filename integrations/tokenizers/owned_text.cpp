#include "integrations/tokenizers/owned_text.h"

#include "integrations/tokenizers/utf8.h"

namespace saetap {

void OwnedText::append(std::string_view text, std::uint32_t owner) {
  check_room(text.size());
  text_ += text;
  owners_.insert(owners_.end(), text.size(), owner);
}

void OwnedText::append(const OwnedText& other) {
  check_room(other.text_.size());
  text_ += other.text_;
  owners_.insert(owners_.end(), other.owners_.begin(), other.owners_.end());
}

void OwnedText::prepend(std::string_view text) {
  check_room(text.size());
  owners_.insert(owners_.begin(), text.size(), owners_.empty() ? empty_owner_ : owners_.front());
  text_.insert(0, text);
}

void OwnedText::keep(std::size_t begin, std::size_t end) {
  if (!owners_.empty()) empty_owner_ = owners_.back();
  text_ = text_.substr(begin, end - begin);
  owners_ = {owners_.begin() + static_cast<std::ptrdiff_t>(begin), owners_.begin() + static_cast<std::ptrdiff_t>(end)};
}

void OwnedText::replace_all(std::string_view from, std::string_view to) {
  if (from.empty()) return insert_around_characters(to);
  std::size_t found = text_.find(from);
  if (found == std::string::npos) return;
  OwnedText replaced(owners_.back());
  std::size_t copied = 0;
  for (; found != std::string::npos; found = text_.find(from, copied)) {
    for (; copied < found; ++copied) replaced.append({&text_[copied], 1}, owners_[copied]);
    copied += from.size();
    replaced.append(to, owners_[copied - 1]);
  }
  for (; copied < text_.size(); ++copied) replaced.append({&text_[copied], 1}, owners_[copied]);
  *this = std::move(replaced);
}

void OwnedText::insert_around_characters(std::string_view inserted) {
  OwnedText replaced(owners_.empty() ? empty_owner_ : owners_.back());
  for (std::size_t at = 0; at < text_.size();) {
    const std::size_t length = utf8_start(std::string_view(text_).substr(at)).bytes;
    replaced.append(inserted, owners_[at]);
    replaced.append(std::string_view(text_).substr(at, length), owners_[at]);
    at += length;
  }
  replaced.append(inserted, replaced.empty_owner_);
  *this = std::move(replaced);
}

OwnedText utf8_lossy(const OwnedText& bytes) {
  const std::string_view text = bytes.text();
  OwnedText decoded(0);
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Start start = utf8_start(text.substr(at));
    decoded.append(start.valid ? text.substr(at, start.bytes) : kReplacementCharacter,
                   bytes.owner(at + start.bytes - 1));
    at += start.bytes;
  }
  return decoded;
}

void check_length(std::span<const OwnedText> parts) {
  std::size_t room = kLongestText;
  for (const OwnedText& part : parts) {
    if (part.text().size() > room) throw TextTooLong();
    room -= part.text().size();
  }
}

std::vector<std::string> pieces_of(std::span<const OwnedText> parts, std::size_t tokens) {
  check_length(parts);
  std::vector<std::string> pieces(tokens);
  for (const OwnedText& part : parts) {
    // A run of no tokens may yet decode to something, which no token would carry.
    for (std::size_t i = 0; i < part.text().size(); ++i) {
      if (part.owner(i) < tokens) pieces[part.owner(i)] += part.text()[i];
    }
  }
  return pieces;
}

}  // namespace saetap

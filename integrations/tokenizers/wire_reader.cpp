#include "integrations/tokenizers/wire_reader.h"

#include "integrations/tokenizers/tokenizer.h"

namespace saetap {
namespace {

enum WireType : std::uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

[[noreturn]] void refuse() {
  throw TokenizerError("not a SentencePiece model, or cut off");
}

}  // namespace

std::uint64_t WireReader::varint() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (rest_.empty()) refuse();
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  refuse();
}

std::string_view WireReader::take(std::uint64_t bytes) {
  if (bytes > rest_.size()) refuse();
  const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(bytes));
  rest_.remove_prefix(taken.size());
  return taken;
}

bool WireReader::next(WireField& field) {
  if (rest_.empty()) return false;
  const std::uint64_t tag = varint();
  if (tag >> 3 == 0 || tag >> 32 != 0) refuse();
  field = WireField();
  field.number = static_cast<std::uint32_t>(tag >> 3);
  switch (tag & 7) {
    case kVarint:
      field.value = varint();
      return true;
    case kFixed64:
      (void)take(8);
      return true;
    case kFixed32:
      (void)take(4);
      return true;
    case kBytes:
      field.bytes = take(varint());
      field.has_bytes = true;
      return true;
    default:
      refuse();
  }
}

}  // namespace saetap

#include "integrations/tokenizers/sentencepiece_model.h"

#include "integrations/tokenizers/tokenizer.h"
#include "integrations/tokenizers/utf8.h"
#include "integrations/tokenizers/wire_reader.h"

namespace saetap {
namespace {

// Field numbers of the proto file.
namespace model {
enum { kPieces = 1, kTrainerSpec = 2, kNormalizerSpec = 3, kDenormalizerSpec = 5 };
}
namespace piece {
enum { kText = 1, kType = 3 };
}
namespace trainer {
enum { kBosId = 41, kEosId = 42, kPadId = 43, kUnknownSurface = 44 };
}
namespace normalizer {
enum { kCharacterMap = 2, kAddDummyPrefix = 3, kRemoveExtraWhitespaces = 4 };
}

PieceType type_from(std::uint64_t value, std::size_t id) {
  if (value < 1 || value > 6) throw TokenizerError("its piece " + std::to_string(id) + " has an unknown type");
  return static_cast<PieceType>(value);
}

bool is_byte_name(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return text.size() == 6 && text.starts_with("<0x") && text[5] == '>' && kDigits.find(text[3]) != kDigits.npos &&
         kDigits.find(text[4]) != kDigits.npos;
}

SentencePiece read_piece(std::string_view bytes, std::size_t id) {
  SentencePiece read;
  WireReader reader(bytes);
  for (WireField field; reader.next(field);) {
    if (field.number == piece::kText) read.text = field.bytes;
    if (field.number == piece::kType) read.type = type_from(field.value, id);
  }
  const std::string which = "its piece " + std::to_string(id);
  if (read.text.empty()) throw TokenizerError(which + " is empty");
  if (!is_utf8(read.text)) throw TokenizerError(which + " is not UTF-8");
  if (read.type == PieceType::byte && !is_byte_name(read.text)) {
    throw TokenizerError(which + " is a byte, but is not written as one");
  }
  return read;
}

void read_trainer_spec(std::string_view bytes, SentencePieceModel& read) {
  WireReader reader(bytes);
  for (WireField field; reader.next(field);) {
    const auto id = static_cast<std::int32_t>(field.value);  // -1, for none, is written as 64 bits
    if (field.number == trainer::kBosId) read.bos_id = id;
    if (field.number == trainer::kEosId) read.eos_id = id;
    if (field.number == trainer::kPadId) read.pad_id = id;
    if (field.number == trainer::kUnknownSurface) read.unknown_surface = field.bytes;
  }
  if (!is_utf8(read.unknown_surface)) throw TokenizerError("its text for unknown pieces is not UTF-8");
}

void read_normalizer_spec(std::string_view bytes, SentencePieceModel& read) {
  WireReader reader(bytes);
  for (WireField field; reader.next(field);) {
    if (field.number == normalizer::kAddDummyPrefix) read.add_dummy_prefix = field.value != 0;
    if (field.number == normalizer::kRemoveExtraWhitespaces) read.remove_extra_whitespaces = field.value != 0;
  }
}

void check_denormalizer_spec(std::string_view bytes) {
  WireReader reader(bytes);
  for (WireField field; reader.next(field);) {
    if (field.number == normalizer::kCharacterMap && !field.bytes.empty()) {
      throw UnsupportedTokenizer("it has a denormalizer, which is not supported; token ids are shown instead");
    }
  }
}

}  // namespace

SentencePieceModel read_sentencepiece_model(std::string_view bytes) {
  SentencePieceModel read;
  WireReader reader(bytes);
  for (WireField field; reader.next(field);) {
    if (!field.has_bytes) continue;
    if (field.number == model::kPieces) read.pieces.push_back(read_piece(field.bytes, read.pieces.size()));
    if (field.number == model::kTrainerSpec) read_trainer_spec(field.bytes, read);
    if (field.number == model::kNormalizerSpec) read_normalizer_spec(field.bytes, read);
    if (field.number == model::kDenormalizerSpec) check_denormalizer_spec(field.bytes);
  }
  if (read.pieces.empty()) throw TokenizerError("not a SentencePiece model: it holds no pieces");
  return read;
}

}  // namespace saetap

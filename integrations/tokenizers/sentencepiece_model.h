// What decoding needs of a SentencePiece .model (google/sentencepiece, src/sentencepiece_model.proto).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace saetap {

enum class PieceType { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

struct SentencePiece {
  std::string text;  // valid UTF-8, not empty; of a byte, "<0x0A>"
  PieceType type = PieceType::normal;
};

struct SentencePieceModel {
  std::vector<SentencePiece> pieces;               // the place is the id
  std::string unknown_surface = " \xE2\x81\x87 ";  // " ⁇ "
  std::int32_t bos_id = 1, eos_id = 2, pad_id = -1;
  bool add_dummy_prefix = true, remove_extra_whitespaces = true;
};

// Throws TokenizerError: malformed; UnsupportedTokenizer: it has a denormalizer.
[[nodiscard]] SentencePieceModel read_sentencepiece_model(std::string_view bytes);

}  // namespace saetap

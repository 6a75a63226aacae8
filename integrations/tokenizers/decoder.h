// From the vocabulary's entries to text: the "decoder" part of a tokenizer.json. One small file per type, after
// huggingface/tokenizers, src/decoders.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "integrations/tokenizers/owned_text.h"

namespace saetap {

class Decoder {
 public:
  virtual ~Decoder() = default;

  // Turns the parts (at first the entry of each token) into the parts of the text, which joined are the decoded text.
  // There may be fewer or more than before: the next decoder of a sequence sees them as they come out of this one.
  virtual void decode(std::vector<OwnedText>& parts) const = 0;
  // The same of parts cut out of a longer text: see Tokenizer::excerpt_pieces.
  virtual void decode_excerpt(std::vector<OwnedText>& parts) const { decode(parts); }
};

// The decoder that `description` (the value of "decoder") asks for; null stands for joining with spaces. Throws
// TokenizerError for one that is malformed, UnsupportedTokenizer for a type or an option that is not there.
// `depth` counts the sequences around it.
[[nodiscard]] std::unique_ptr<Decoder> make_decoder(const nlohmann::json& description, int depth = 0);

[[nodiscard]] std::unique_ptr<Decoder> make_bpe_decoder(const nlohmann::json& description);
[[nodiscard]] std::unique_ptr<Decoder> make_byte_fallback_decoder();
[[nodiscard]] std::unique_ptr<Decoder> make_byte_level_decoder();
[[nodiscard]] std::unique_ptr<Decoder> make_ctc_decoder(const nlohmann::json& description);
[[nodiscard]] std::unique_ptr<Decoder> make_fuse_decoder();
[[nodiscard]] std::unique_ptr<Decoder> make_metaspace_decoder(const nlohmann::json& description);
[[nodiscard]] std::unique_ptr<Decoder> make_replace_decoder(const nlohmann::json& description);
[[nodiscard]] std::unique_ptr<Decoder> make_sequence_decoder(const nlohmann::json& description, int depth);
[[nodiscard]] std::unique_ptr<Decoder> make_spaced_decoder();  // no decoder at all: entries joined with a space
[[nodiscard]] std::unique_ptr<Decoder> make_strip_decoder(const nlohmann::json& description);
[[nodiscard]] std::unique_ptr<Decoder> make_wordpiece_decoder(const nlohmann::json& description);

// The eleven replacements that WordPiece and CTC call cleanup.
void clean_up(OwnedText& text);

}  // namespace saetap

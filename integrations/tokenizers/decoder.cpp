#include "integrations/tokenizers/decoder.h"

#include <nlohmann/json.hpp>

#include "integrations/tokenizers/tokenizer.h"

namespace saetap {
namespace {

// " (cleanup, prefix)": what such a decoder may be known by.
std::string keys_of(const nlohmann::json& description) {
  constexpr std::size_t kMost = 60;
  std::string keys;
  for (const auto& [key, value] : description.items()) keys += (keys.empty() ? "" : ", ") + key;
  return keys.empty() || keys.size() > kMost ? "" : " (" + keys + ")";
}

}  // namespace

std::unique_ptr<Decoder> make_decoder(const nlohmann::json& description, int depth) {
  if (description.is_null()) return make_spaced_decoder();
  if (description.is_object() && !description.contains("type")) {
    throw UnsupportedTokenizer("its decoder is of the old form without a \"type\"" + keys_of(description) +
                               ", which is not supported; token ids are shown instead");
  }
  if (!description.is_object() || !description["type"].is_string()) {
    throw TokenizerError("its \"decoder\" has no type");
  }
  const auto& type = description["type"].get_ref<const std::string&>();
  if (type == "BPEDecoder") return make_bpe_decoder(description);
  if (type == "ByteFallback") return make_byte_fallback_decoder();
  if (type == "ByteLevel") return make_byte_level_decoder();
  if (type == "CTC") return make_ctc_decoder(description);
  if (type == "Fuse") return make_fuse_decoder();
  if (type == "Metaspace") return make_metaspace_decoder(description);
  if (type == "Replace") return make_replace_decoder(description);
  if (type == "Sequence") return make_sequence_decoder(description, depth);
  if (type == "Strip") return make_strip_decoder(description);
  if (type == "WordPiece") return make_wordpiece_decoder(description);
  throw UnsupportedTokenizer("its decoder \"" + type.substr(0, 40) +
                             "\" is not supported; token ids are shown instead");
}

}  // namespace saetap

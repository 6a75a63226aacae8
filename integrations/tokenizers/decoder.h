// From the vocabulary's entries to text: the "decoder" part of a tokenizer.json. One small file per type.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace saetap {

class Decoder {
 public:
  virtual ~Decoder() = default;

  // Turns the entries of a run of tokens into the text of each, in place and in order: joined, they are the decoded
  // text. Where several tokens together make one character, the last of them carries it.
  virtual void decode(std::vector<std::string>& entries) const = 0;
};

// The decoder that `description` (the value of "decoder") asks for. Throws TokenizerError for one that is malformed,
// UnsupportedTokenizer for a type that is not there.
[[nodiscard]] std::unique_ptr<Decoder> make_decoder(const nlohmann::json& description);

[[nodiscard]] std::unique_ptr<Decoder> make_wordpiece_decoder(const nlohmann::json& description);

}  // namespace saetap

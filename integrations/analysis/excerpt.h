// A sample as text: the activating token in the words around it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "integrations/tokenizers/tokenizer.h"
#include "plugin/store/store_reader.h"

namespace saetap {

// Visible text throughout (see visible_text.h). Without a tokenizer: the ids, with spaces between.
struct Excerpt {
  bool known = false;  // false: it is not known which tokens these were, and everything below is empty
  std::string before;  // ends with the space before the activating token, if there is one
  std::string token;   // the activating one; if a later one completes its character, all up to that one
  std::string after;
  bool from_start = false;  // begins at the first token of the sequence
  bool to_end = false;      // ends with the last one
  std::vector<std::int32_t> ids;
  std::size_t activating = 0;  // index into ids
  // The text of each of ids: joined, they are before + token + after. All that belongs to `token` stands at the
  // activating one.
  std::vector<std::string> pieces;
};

// What of an excerpt is shown where there is little room.
struct ShownText {
  std::string before;  // the end of that of the excerpt
  std::string token;
  std::string after;        // the beginning of that of the excerpt
  bool from_start = false;  // as in Excerpt; false: something is left out
  bool to_end = false;
};

// Where something is left out.
inline constexpr const char* kEllipsis = "…";

// Each of the ids as its part of the text that they are together; without a tokenizer the id.
[[nodiscard]] std::vector<std::string> texts_of(std::span<const std::int32_t> ids, const Tokenizer* tokenizer);

// What a redacted store cannot show, and what helps; empty if nothing was left out.
[[nodiscard]] std::string redaction_text(const RunFacts& run);

// The tokens of a context as text. Of those around the activating one at most `before` and `after` are shown; the
// others only help to decode (whether a token begins a word depends on its neighbour, and a character may be of
// several).
[[nodiscard]] Excerpt excerpt_of(const Context& context, std::uint32_t before, std::uint32_t after,
                                 const Tokenizer* tokenizer);

// The same, of a kept sample. Throws StoreError.
[[nodiscard]] Excerpt read_excerpt(const StoreReader& store, const Sample& sample, std::uint32_t before,
                                   std::uint32_t after, const Tokenizer* tokenizer);

// Cut to `columns`, two of them for what marks the token and two for ellipses, at both ends, between words where it can
// be; the activating token stays whole. Of a known excerpt.
[[nodiscard]] ShownText shown_text(const Excerpt& excerpt, std::size_t columns);
[[nodiscard]] ShownText shown_text(const Excerpt& excerpt);  // all of it

// "…dwelt in the land of «Nod», on the east…"
[[nodiscard]] std::string marked(const Excerpt& excerpt);

// The same cut to `columns`, see shown_text.
[[nodiscard]] std::string marked(const Excerpt& excerpt, std::size_t columns);

}  // namespace saetap

// The text of an imported store: what samples had around them, put together again.
#pragma once

#include <cstdint>
#include <vector>

#include "plugin/store/samples_json.h"
#include "plugin/store/sqlite.h"

namespace saetap {

// Of a sequence only what stood around samples is known; the tokens between are kUnknownToken, and its length is only
// known to be more than what was seen, unless a context ends with it.
class ImportedText {
 public:
  // `context`: tokens to each side that a sample has, unless its sequence ends before.
  ImportedText(const Database& store, std::uint32_t context);

  // Throws std::invalid_argument: a context that cannot be, or two that disagree about a token.
  void add(const JsonSample& sample);

 private:
  void add_to_segment(SequenceId sequence, std::uint32_t segment, std::uint64_t first,
                      const std::vector<std::int32_t>& tokens, std::uint64_t length);

  std::uint32_t context_;
  Statement select_;
  Statement insert_;
};

}  // namespace saetap

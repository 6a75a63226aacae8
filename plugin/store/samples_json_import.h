// A store made of a samples.json, so that whatever reads stores reads it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "plugin/store/store_error.h"

namespace saetap {

struct ImportOptions {
  std::string tokenizer;  // path, in place of the one that the file names; empty: that one
  // The text of a token as the tokenizer has it. What the file says otherwise of a token is kept: its program said it.
  // Empty: there is no tokenizer, and all that the file says is kept.
  std::function<std::string(std::int32_t)> known_text;
  std::function<void(std::uint64_t features)> progress;  // after each feature, how many so far; may be empty
};

// The tokenizer that a samples.json names, or "". Throws StoreError as below.
[[nodiscard]] std::string tokenizer_of_samples_json(const std::string& path);

// Writes the store `output` from the samples.json at `path`, whole or not at all; what is there already is replaced.
// What is in the file is in the store to the last bit. Read feature by feature: memory grows by a number for each
// feature, and by each different token and its text, not by the samples.
// Throws StoreError: the file cannot be read, is no samples.json or contradicts itself; the store cannot be written.
void import_samples_json(const std::string& path, const std::string& output, const ImportOptions& options);

}  // namespace saetap

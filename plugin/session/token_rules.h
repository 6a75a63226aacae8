// From the config and the tokenizer to what the trace stage needs to know of tokens.
#pragma once

#include <memory>
#include <string>

#include "integrations/tokenizers/tokenizer.h"
#include "plugin/config.h"
#include "plugin/trace/provenance.h"

namespace saetap {

// The tokenizer that the config names; null if it names none, or one that cannot be read, which is logged.
[[nodiscard]] std::shared_ptr<const Tokenizer> configured_tokenizer(const Config& config);

// Which sources may be used, and which tokens do not count: those that the config names, else the tokenizer's special
// ones, which is logged, as is that it knows of none. Documents end where the config says, else where the tokenizer
// does, else at every token that does not count.
[[nodiscard]] TraceOptions trace_options(const Config& config, const Tokenizer* tokenizer);

// Whether rows are looked up by their fingerprints.
[[nodiscard]] bool looks_rows_up(const TokenOptions& tokens);

// Whether the tokens of a language model of this type are wanted.
[[nodiscard]] bool listens_to_models(const TokenOptions& tokens, const std::string& module_type);

}  // namespace saetap

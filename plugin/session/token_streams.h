// Language models: which input holds their tokens, and remembering what they return.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "hooks/discover.h"
#include "hooks/tap.h"
#include "plugin/trace/provenance.h"

namespace saetap {

// The graph inputs of a method that takes tokens [batch, length]: the first two-dimensional integer tensor among the
// call's arguments that is no mask, or, where keyword arguments are missing, the one that is looked up in an embedding;
// and its attention mask. Null where there is none.
[[nodiscard]] hooks::TokenInputs token_inputs(const hooks::Meeting& meeting);

// A model whose tokens are listened to.
struct TokenStreamTap {
  std::string name;  // what people are told
  bool mask_marks_padding = false;
  bool failed = false;
};

// Remembers every floating tensor [batch, length, d] or [batch · length, d] that the model returned, alone or in
// tuples, lists and dicts, each as a stream of its own. Throws for token ids that are none.
// `widths`: only outputs of these widths d are remembered; empty: of any.
void record_token_stream(const TokenStreamTap& model, const hooks::StreamEvent& event,
                         const std::set<std::int64_t>& widths, Provenance& provenance);

}  // namespace saetap

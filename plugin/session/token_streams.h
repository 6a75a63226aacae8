// Language models: which input holds their tokens, and remembering what they return.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "hooks/discover.h"
#include "hooks/tap.h"
#include "plugin/trace/provenance.h"

namespace saetap {

// The graph input of a method that takes tokens [batch, length]: the first two-dimensional integer tensor among the
// call's arguments, or, where keyword arguments are missing, the one that is looked up in an embedding. Null if there
// is none.
[[nodiscard]] torch::jit::Value* token_input(const hooks::Meeting& meeting);

// Remembers every floating tensor [batch, length, d] or [batch · length, d] that the model returned, alone or in
// tuples, lists and dicts, each as a stream of its own. Throws for token ids that are none.
// `widths`: only outputs of these widths d are remembered; empty: of any.
void record_token_stream(const std::string& model, const hooks::StreamEvent& event,
                         const std::set<std::int64_t>& widths, Provenance& provenance);

}  // namespace saetap

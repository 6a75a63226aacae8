// Language models: which input holds their tokens, and remembering what they return.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

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

// What a call of a language model was given and returned, as far as it is of use.
struct TokenStreamCall {
  at::Tensor tokens;  // integers [batch, length]
  at::Tensor mask;    // undefined: none
  struct Output {
    std::size_t number;  // among all tensors that were returned, alone or in tuples, lists and dicts
    at::Tensor rows;     // floating, [batch, length, d] or [batch · length, d]
  };
  std::vector<Output> outputs;
  bool several = false;  // tensors were returned

  // Where the call's tensors lie: an accelerator if any of them does.
  [[nodiscard]] at::Device device() const;
  // The same on the host, there once the device got so far.
  [[nodiscard]] TokenStreamCall to_host_later() const;
};

// Nothing if these are no tokens. `widths`: only outputs of these widths d; empty: of any.
[[nodiscard]] std::optional<TokenStreamCall> read_token_stream(const hooks::StreamEvent& event,
                                                               const std::set<std::int64_t>& widths);

// Remembers the call's outputs, each as a stream of its own. Throws for token ids that are none.
void record_token_stream(const TokenStreamTap& model, const TokenStreamCall& call, Provenance& provenance);

}  // namespace saetap

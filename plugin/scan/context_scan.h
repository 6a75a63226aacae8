// The activations around a candidate: what its feature did at every token of the context.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plugin/scan/batch_scan.h"
#include "plugin/trace/context_rows.h"

namespace saetap {

// The activation of the same feature at a token near by.
struct ContextActivation {
  std::int32_t offset = 0;  // in tokens from the activating one: -1 is the token before; never 0
  float activation = 0;     // finite and not 0

  friend bool operator==(const ContextActivation&, const ContextActivation&) = default;
};

// What is known of the contexts of a list of candidates.
struct CandidateContexts {
  static constexpr std::uint32_t kNotKnown = 0xFFFFFFFFu;
  struct Context {
    std::uint32_t first = 0;  // into activations
    std::uint32_t count =
        kNotKnown;  // those that are 0 are left out; kNotKnown: not all rows of the context were there
  };
  std::vector<Context> contexts;  // one per candidate
  std::vector<ContextActivation> activations;

  [[nodiscard]] bool known(std::size_t candidate) const { return contexts[candidate].count != kNotKnown; }
  // Those around one candidate in the order of the text; only if they are known.
  [[nodiscard]] std::span<const ContextActivation> of(std::size_t candidate) const {
    return std::span(activations).subspan(contexts[candidate].first, contexts[candidate].count);
  }
};

// Reads around each candidate of a batch; what `contexts` held before is gone. NaN and infinities are left out.
// Thread-safe for separate `contexts`.
void scan_contexts(const Activations& activations, std::span<const Candidate> candidates, const ContextRows& rows,
                   CandidateContexts& contexts);

}  // namespace saetap

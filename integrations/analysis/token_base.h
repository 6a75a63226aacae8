// How often each token is in the text as a whole: what a feature's tokens are held against.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "plugin/store/store_reader.h"

namespace saetap {

class TokenBase {
 public:
  using Counts = std::vector<std::pair<std::int32_t, std::uint64_t>>;

  // `counts`: of each token, in any order; a token may stand there more than once. `counted`: of how many tokens that
  // were counted they are; 0: they are an estimate.
  TokenBase(Counts counts, std::uint64_t counted);

  // The counted rows of the scope by their token, if the store has at least half of them so. (It lacks those whose
  // token was not known, and those of a run before the store had such counts.) Else an estimate: the text that the
  // store holds, which is what is around kept samples. Throws StoreError.
  [[nodiscard]] static TokenBase read(const StoreReader& store, const StoredSite& site, Scope scope);

  // 0 for a token that was never met.
  [[nodiscard]] std::uint64_t count(std::int32_t token) const;
  // Of all tokens.
  [[nodiscard]] std::uint64_t total() const { return total_; }
  // How many different tokens were met.
  [[nodiscard]] std::size_t distinct() const { return counts_.size(); }
  // How many tokens were counted, of which total() are known; 0: these are an estimate from the text that the store
  // holds.
  [[nodiscard]] std::uint64_t counted() const { return counted_; }

 private:
  Counts counts_;  // by ascending token, each once, none 0
  std::uint64_t total_ = 0;
  std::uint64_t counted_ = 0;
};

}  // namespace saetap

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

  // `counts`: of each token, in any order; a token may stand there more than once.
  TokenBase(Counts counts, bool whole);

  // The counted rows of the scope by their token, if the store has them. Else an estimate: the text that the store
  // holds, which is what is around kept samples. Throws StoreError.
  [[nodiscard]] static TokenBase read(const StoreReader& store, const StoredSite& site, Scope scope);

  // 0 for a token that was never met.
  [[nodiscard]] std::uint64_t count(std::int32_t token) const;
  // Of all tokens.
  [[nodiscard]] std::uint64_t total() const { return total_; }
  // How many different tokens were met.
  [[nodiscard]] std::size_t distinct() const { return counts_.size(); }
  // False: estimated from the text that the store holds.
  [[nodiscard]] bool whole() const { return whole_; }

 private:
  Counts counts_;  // by ascending token, each once, none 0
  std::uint64_t total_ = 0;
  bool whole_ = false;
};

}  // namespace saetap

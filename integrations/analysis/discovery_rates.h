// Tokens of several features, each with its p: how likely the ones that are told are to be there by chance.
#pragma once

#include <cstddef>
#include <vector>

namespace saetap {

// Features are tested by the most significant of their tokens, each p already corrected for all tokens that a feature
// could have (see enriched_tokens); over features it is corrected by Benjamini and Hochberg.
class DiscoveryRates {
 public:
  DiscoveryRates() = default;
  // `best`: of each feature that has tokens the lowest p of these.
  explicit DiscoveryRates(std::vector<double> best);

  [[nodiscard]] std::size_t tested() const { return best_.size(); }
  // Of a token of one of the features with this p: the lowest false discovery rate at which it would be told, from 0 to
  // 1. Of the best tokens that is benjamini_hochberg(); of a further one, the p up to which a feature's best would be
  // told at that rate has to be reached by its own.
  [[nodiscard]] double q(double p) const;

 private:
  std::vector<double> best_;      // ascending
  std::vector<double> adjusted_;  // of these
};

}  // namespace saetap

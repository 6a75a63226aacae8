// What looks for pairs of similar features, and what keeps them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "integrations/analysis/decoder_neighbors.h"

namespace saetap {

struct SimilarPair {
  std::uint32_t first = 0;  // the lower number
  std::uint32_t second = 0;
  float similarity = 0;

  friend bool operator==(const SimilarPair&, const SimilarPair&) = default;
};

// Asked for pairs by whatever measure; keeps what it likes of them.
class PairKeeper {
 public:
  virtual ~PairKeeper() = default;
  // [features]: a pair is only wanted if it reaches the bar of one of the two. They never fall.
  [[nodiscard]] virtual std::span<const float> bars() const = 0;
  virtual void offer(const SimilarPair& pair) = 0;
};

// Of each feature the `top` most similar others, best first, equal ones in order of the feature.
class NearestKeeper : public PairKeeper {
 public:
  // Pairs below `least` do not count.
  NearestKeeper(std::size_t features, std::size_t top, float least);
  [[nodiscard]] std::span<const float> bars() const override { return bars_; }
  void offer(const SimilarPair& pair) override;
  // To the list of one of the two alone.
  void add(std::uint32_t feature, std::uint32_t other, float similarity);
  [[nodiscard]] std::vector<std::vector<Neighbor>> take() { return std::move(lists_); }

 private:
  std::size_t top_;
  std::vector<float> bars_;
  std::vector<std::vector<Neighbor>> lists_;
};

// All pairs of at least a similarity, if they are not more than `most`.
class PairsAbove : public PairKeeper {
 public:
  // While none is found, the bar is the most similar of the others.
  PairsAbove(std::size_t features, float least, std::size_t most)
      : least_(least), most_(most), bars_(features, std::min(least, -1.0f)) {}
  [[nodiscard]] std::span<const float> bars() const override { return bars_; }
  void offer(const SimilarPair& pair) override;
  // Those beyond `most` are counted, and not kept.
  [[nodiscard]] std::size_t found() const { return found_; }
  // Of no pair that reaches the bound, the most similar one; nothing if there is one, or no pair at all.
  [[nodiscard]] const std::optional<SimilarPair>& best_below() const { return best_below_; }
  // Best first, equal ones by number.
  [[nodiscard]] std::vector<SimilarPair> take();

 private:
  void raise_bars(float bar);

  float least_;
  std::size_t most_;
  std::optional<SimilarPair> best_below_;
  std::size_t found_ = 0;
  std::vector<float> bars_;
  std::vector<SimilarPair> pairs_;
};

}  // namespace saetap

#include "integrations/analysis/similar_pairs.h"

#include <algorithm>
#include <limits>
#include <tuple>

namespace saetap {

NearestKeeper::NearestKeeper(std::size_t features, std::size_t top, float least)
    : top_(top), bars_(features, top == 0 ? std::numeric_limits<float>::infinity() : least), lists_(features) {}

void NearestKeeper::offer(const SimilarPair& pair) {
  add(pair.first, pair.second, pair.similarity);
  add(pair.second, pair.first, pair.similarity);
}

void NearestKeeper::add(std::uint32_t feature, std::uint32_t other, float similarity) {
  if (similarity < bars_[feature]) return;
  std::vector<Neighbor>& list = lists_[feature];
  const Neighbor added{other, static_cast<double>(similarity)};
  list.insert(std::upper_bound(list.begin(), list.end(), added, nearer), added);
  if (list.size() > top_) list.pop_back();
  if (list.size() == top_) bars_[feature] = static_cast<float>(list.back().cosine);
}

void PairsAbove::raise_bars(float bar) {
  if (bars_.empty() || bars_.front() >= bar) return;
  std::ranges::fill(bars_, bar);
}

void PairsAbove::offer(const SimilarPair& pair) {
  if (pair.similarity < least_) {
    if (found_ > 0 || (best_below_ && best_below_->similarity >= pair.similarity)) return;
    best_below_ = pair;
    return raise_bars(pair.similarity);
  }
  best_below_.reset();
  raise_bars(least_);
  if (++found_ <= most_) pairs_.push_back(pair);
}

std::vector<SimilarPair> PairsAbove::take() {
  std::sort(pairs_.begin(), pairs_.end(), [](const SimilarPair& a, const SimilarPair& b) {
    return std::tuple(-a.similarity, a.first, a.second) < std::tuple(-b.similarity, b.first, b.second);
  });
  return std::move(pairs_);
}

}  // namespace saetap

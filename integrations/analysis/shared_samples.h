// How much the kept samples of features have in common: the places where they were, or the tokens they were on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "integrations/analysis/random_numbers.h"
#include "integrations/analysis/similar_features.h"
#include "integrations/analysis/site_samples.h"

namespace saetap {

// What two features share.
struct SharedSamples {
  std::uint32_t feature = 0;  // the other one
  double similarity = 0;
  std::uint32_t shared = 0;  // places, or different tokens, that both have
};

// Features as rows of a sparse matrix: 16 bytes for each sample.
class SampleRows {
 public:
  // Similarity is Jaccard's: the places that both have as a share of those that either has.
  [[nodiscard]] static SampleRows of_places(const SiteSamples& samples);
  // Similarity is the cosine of how many of the samples are on each token; samples without a known token do not count.
  [[nodiscard]] static SampleRows of_tokens(const SiteSamples& samples);

  [[nodiscard]] std::size_t features() const { return sizes_.size(); }
  // Samples of the feature that count.
  [[nodiscard]] std::uint32_t samples(std::uint32_t feature) const { return sizes_[feature]; }

  // The features that share anything with this one, in no order. It is itself not among them.
  [[nodiscard]] std::vector<SharedSamples> sharing_with(std::uint32_t feature) const;
  // Offers all pairs that share anything.
  void find_similar(PairKeeper& keeper, const FeatureProgress& progress) const;
  // Every feature with as many places as it has, but which ones is left to chance: what overlap there is then. (Fewer
  // only where no other place is found for one dealt out twice, in 1,000 tries.)
  [[nodiscard]] SampleRows shuffled(std::uint64_t seed) const;

 private:
  struct Entry {
    std::uint32_t feature = 0;
    std::uint32_t key = 0;
  };
  SampleRows(std::vector<Entry> entries, std::vector<std::uint32_t> sizes, std::size_t keys, bool jaccard);
  void list_by_key();
  void swap_twins(std::vector<std::uint32_t>& keys, RandomBits& bits) const;
  [[nodiscard]] double similarity(std::uint32_t a, std::uint32_t b, double product) const;
  // Adds up what the feature has in common with those from `first` on; calls `take` with each, and leaves `sums` at 0.
  template <typename Take>
  void gather(std::uint32_t feature, std::uint32_t first, std::vector<SharedSamples>& sums, Take take) const;

  bool jaccard_;
  std::size_t keys_;
  std::vector<std::uint32_t> sizes_;
  std::vector<double> lengths_;  // of the row as a vector
  // By feature, then key; and the same by key, then feature.
  std::vector<std::size_t> row_begins_, key_begins_;
  std::vector<std::uint32_t> row_keys_, key_features_;
  std::vector<float> row_counts_, key_counts_;
};

}  // namespace saetap

// The features that are most similar to one feature, by each of three measures.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "integrations/analysis/shared_samples.h"
#include "plugin/store/store_reader.h"

namespace saetap {

enum class SimilarBy : std::uint8_t {
  decoder,  // the cosine of the decoder directions
  places,   // Jaccard's similarity of the places of the strongest samples kept
  tokens,   // the cosine of how many of the strongest samples kept are on each token
};

struct SimilarFeature {
  std::uint32_t feature = 0;
  std::optional<double> decoder;  // nothing: one of the two has no direction
  double places = 0;
  std::uint32_t shared_places = 0;
  std::uint32_t samples = 0;     // of the feature, whose places were compared
  std::optional<double> tokens;  // nothing: of one of the two no sample's token is known
  std::uint32_t shared_tokens = 0;
  std::uint32_t samples_with_token = 0;

  // By one measure, and where that is not known below everything.
  [[nodiscard]] double by(SimilarBy measure) const;
};

class SimilarToOne {
 public:
  // Reads the samples of all features. `tick` gets how many were read; may be empty. Throws StoreError.
  SimilarToOne(const StoreReader& store, const StoredSite& site, Scope scope, std::uint32_t feature,
               const FeatureProgress& tick);

  [[nodiscard]] const SimilarFeature& itself() const { return all_[feature_]; }
  // The `top` others, best first, equal ones by number; of those only that have anything in common with it (of decoder
  // directions: a cosine above 0).
  [[nodiscard]] std::vector<SimilarFeature> nearest(SimilarBy measure, std::size_t top) const;

 private:
  void add_decoder(const StoreReader& store, const StoredSite& site);
  void add_samples(const SiteSamples& samples);

  std::uint32_t feature_;
  std::vector<SimilarFeature> all_;  // [features]
};

}  // namespace saetap

#include "integrations/analysis/similar_to_one.h"

#include <algorithm>
#include <tuple>

#include "integrations/analysis/unit_directions.h"

namespace saetap {

double SimilarFeature::by(SimilarBy measure) const {
  if (measure == SimilarBy::decoder) return decoder.value_or(-1);
  return measure == SimilarBy::places ? places : tokens.value_or(-1);
}

SimilarToOne::SimilarToOne(const StoreReader& store, const StoredSite& site, Scope scope, std::uint32_t feature,
                           const FeatureProgress& tick)
    : feature_(feature), all_(static_cast<std::size_t>(site.site.features)) {
  for (std::uint32_t other = 0; other < all_.size(); ++other) all_[other].feature = other;
  add_decoder(store, site);
  add_samples(SiteSamples::read(store, site, scope, SampleKind::strongest, tick));
}

void SimilarToOne::add_decoder(const StoreReader& store, const StoredSite& site) {
  const UnitDirections unit = unit_directions(store.decoder_directions(site.site.id), site.site.features);
  const auto own = std::lower_bound(unit.features.begin(), unit.features.end(), feature_);
  if (own == unit.features.end() || *own != feature_) return;
  const auto at = static_cast<std::size_t>(own - unit.features.begin());
  std::vector<float> cosines(unit.size());
  multiply_rows_plainly(unit.rows(at, 1), unit.rows(0, unit.size()), cosines.data());
  for (std::size_t other = 0; other < unit.size(); ++other) {
    all_[unit.features[other]].decoder = std::clamp(static_cast<double>(cosines[other]), -1.0, 1.0);
  }
}

void SimilarToOne::add_samples(const SiteSamples& samples) {
  const SampleRows places = SampleRows::of_places(samples), tokens = SampleRows::of_tokens(samples);
  for (SimilarFeature& other : all_) {
    other.samples = places.samples(other.feature);
    other.samples_with_token = tokens.samples(other.feature);
    if (other.samples_with_token > 0 && tokens.samples(feature_) > 0) other.tokens = 0;
  }
  for (const SharedSamples& shared : places.sharing_with(feature_)) {
    all_[shared.feature].places = shared.similarity;
    all_[shared.feature].shared_places = shared.shared;
  }
  for (const SharedSamples& shared : tokens.sharing_with(feature_)) {
    all_[shared.feature].tokens = shared.similarity;
    all_[shared.feature].shared_tokens = shared.shared;
  }
}

std::vector<SimilarFeature> SimilarToOne::nearest(SimilarBy measure, std::size_t top) const {
  std::vector<SimilarFeature> found;
  for (const SimilarFeature& other : all_) {
    if (other.feature != feature_ && other.by(measure) > 0) found.push_back(other);
  }
  const std::size_t kept = std::min(top, found.size());
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(kept), found.end(),
                    [measure](const SimilarFeature& a, const SimilarFeature& b) {
                      return std::tuple(-a.by(measure), a.feature) < std::tuple(-b.by(measure), b.feature);
                    });
  found.resize(kept);
  return found;
}

}  // namespace saetap

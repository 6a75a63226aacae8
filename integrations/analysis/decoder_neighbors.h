// Features that write in nearly the same direction.
#pragma once

#include <cstdint>
#include <vector>

#include "plugin/store/store_reader.h"

namespace saetap {

struct Neighbor {
  std::uint32_t feature = 0;
  double cosine = 0;
};

class DecoderNeighbors {
 public:
  // `directions`: [features, width] row-major; empty if the decoder was not saved.
  DecoderNeighbors(std::vector<float> directions, std::int64_t features);

  // The `top` other features whose direction has the highest cosine with that of `feature`, best first, equal ones in
  // order of the feature. Directions that are zero or not finite are near nothing.
  [[nodiscard]] std::vector<Neighbor> nearest(std::uint32_t feature, std::size_t top) const;

 private:
  std::vector<float> directions_;
  std::size_t width_ = 0;
  std::vector<double> inverse_norms_;  // 0 for a direction that is none
};

// The same of one feature, read block by block from the store: the whole decoder is never in memory. Empty if it was
// not saved. Throws StoreError.
[[nodiscard]] std::vector<Neighbor> nearest_in_store(const StoreReader& store, const StoredSite& site,
                                                     std::uint32_t feature, std::size_t top);

}  // namespace saetap

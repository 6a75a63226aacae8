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

// Of the higher cosine; of equal ones of the lower number.
[[nodiscard]] bool nearer(const Neighbor& a, const Neighbor& b);

// The `top` other features whose direction has the highest cosine with that of `feature`, best first, read block by
// block from the store: the whole decoder is never in memory. Directions that are zero or not finite are near nothing.
// Empty if the decoder was not saved. Throws StoreError.
[[nodiscard]] std::vector<Neighbor> nearest_in_store(const StoreReader& store, const StoredSite& site,
                                                     std::uint32_t feature, std::size_t top);

}  // namespace saetap

// Which site of one store is the same as which of another.
#pragma once

#include <span>
#include <vector>

#include "plugin/store/store_reader.h"

namespace saetap {

enum class PairedBy : std::uint8_t {
  name,
  alone,  // each store has this one site
  shape,  // of those without a namesake, the only one of its F, d_in and d_out in each store
};

struct SitePair {
  const StoredSite* first = nullptr;
  const StoredSite* second = nullptr;
  PairedBy by = PairedBy::name;
};

// In the order of the first store; sites that have no counterpart are not in it. Names go before shapes. Sizes may
// differ, unless paired by them. The sites must outlive the pairs.
[[nodiscard]] std::vector<SitePair> pair_sites(std::span<const StoredSite> first, std::span<const StoredSite> second);

}  // namespace saetap

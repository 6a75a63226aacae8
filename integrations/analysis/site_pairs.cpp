#include "integrations/analysis/site_pairs.h"

#include <algorithm>
#include <tuple>

namespace saetap {
namespace {

bool same_shape(const Site& a, const Site& b) {
  return std::tuple(a.features, a.d_in, a.d_out) == std::tuple(b.features, b.d_in, b.d_out);
}

// The only one of `sites` that `fits`; null if there is none, or more than one.
template <typename Fits>
const StoredSite* only_one(std::span<const StoredSite> sites, Fits fits) {
  const StoredSite* found = nullptr;
  for (const StoredSite& stored : sites) {
    if (!fits(stored)) continue;
    if (found != nullptr) return nullptr;
    found = &stored;
  }
  return found;
}

const StoredSite* namesake(const StoredSite& of, std::span<const StoredSite> sites) {
  return only_one(sites, [&](const StoredSite& other) { return other.site.name == of.site.name; });
}

}  // namespace

std::vector<SitePair> pair_sites(std::span<const StoredSite> first, std::span<const StoredSite> second) {
  std::vector<SitePair> pairs;
  for (const StoredSite& stored : first) {
    if (const StoredSite* other = namesake(stored, second)) {
      pairs.push_back({&stored, other, PairedBy::name});
    } else if (first.size() == 1 && second.size() == 1) {
      pairs.push_back({&stored, &second.front(), PairedBy::alone});
    } else {
      const auto left = [&](std::span<const StoredSite> others) {
        return [&stored, others](const StoredSite& one) {
          return same_shape(one.site, stored.site) && namesake(one, others) == nullptr;
        };
      };
      const StoredSite* match = only_one(second, left(first));
      if (match != nullptr && only_one(first, left(second)) == &stored)
        pairs.push_back({&stored, match, PairedBy::shape});
    }
  }
  return pairs;
}

}  // namespace saetap

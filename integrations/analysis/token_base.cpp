#include "integrations/analysis/token_base.h"

#include <algorithm>
#include <unordered_map>

namespace saetap {
namespace {

TokenBase::Counts counted_text(const StoreReader& store) {
  std::unordered_map<std::int32_t, std::uint64_t> counts;
  store.each_segment([&](const StoredSegment& segment) {
    for (const std::int32_t token : segment.tokens) ++counts[token];
  });
  return {counts.begin(), counts.end()};
}

}  // namespace

TokenBase::TokenBase(Counts counts, std::uint64_t counted) : counts_(std::move(counts)), counted_(counted) {
  std::sort(counts_.begin(), counts_.end());
  std::size_t kept = 0;
  for (const auto& [token, count] : counts_) {
    if (count == 0) continue;
    total_ += count;
    if (kept > 0 && counts_[kept - 1].first == token) {
      counts_[kept - 1].second += count;
    } else {
      counts_[kept++] = {token, count};
    }
  }
  counts_.resize(kept);
}

TokenBase TokenBase::read(const StoreReader& store, const StoredSite& site, Scope scope) {
  const std::uint64_t counted = (scope == Scope::recent ? site.recent : site.all_time).eligible;
  TokenBase base(store.token_counts(site.site.id, scope), counted);
  if (base.total() > 0 && base.total() >= counted - base.total()) return base;
  return {counted_text(store), 0};
}

std::uint64_t TokenBase::count(std::int32_t token) const {
  const auto found = std::ranges::lower_bound(counts_, token, {}, &Counts::value_type::first);
  return found != counts_.end() && found->first == token ? found->second : 0;
}

}  // namespace saetap

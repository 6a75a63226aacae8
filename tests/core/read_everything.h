// Reads what a store claims to hold, through every function of the reader.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "plugin/store/store_reader.h"

namespace saetap::testing {

// Calls `read`; what it refuses is added to `refusals`.
template <typename Read>
void try_to(std::vector<std::string>& refusals, Read read) {
  try {
    read();
  } catch (const StoreError& error) {
    refusals.emplace_back(error.what());
  }
}

inline void read_feature(const StoreReader& store, int site, std::uint32_t feature, Scope scope,
                         std::vector<std::string>& refusals) {
  std::vector<Sample> samples;
  try_to(refusals, [&] { samples = store.samples(site, feature, scope); });
  try_to(refusals, [&] { (void)store.context_activations(site, feature, scope, samples); });
  try_to(refusals, [&] {
    const auto random = store.random_samples(site, feature, scope);
    samples.insert(samples.end(), random.begin(), random.end());
  });
  try_to(refusals, [&] { (void)store.histogram(site, feature, scope).quantile(0.5); });
  for (const Sample& sample : samples) {
    try_to(refusals, [&] {
      const Context context = store.context(sample, 20, 20);
      if (!context.tokens.empty() && context.activating >= context.tokens.size()) {
        refusals.emplace_back("a sample outside of its own context");
      }
    });
  }
}

// What was refused, in the order of asking; empty: all could be read. Of a site that claims more features than a test
// has time for, the first ones and the last; of one that claims far more, no statistics either, for which the reader
// makes a row of each.
inline std::vector<std::string> read_everything(const std::string& path) {
  constexpr std::int64_t kMost = 64;
  std::vector<std::string> refusals;
  try_to(refusals, [&] {
    const StoreReader store(path);
    try_to(refusals, [&] { (void)store.token_texts(); });
    for (const StoredSite& stored : store.sites()) {
      const int site = stored.site.id;
      if (stored.site.features <= kMost * 1000) {
        try_to(refusals, [&] { (void)store.statistics(site, Scope::recent); });
        try_to(refusals, [&] { (void)store.statistics(site, Scope::all_time); });
      }
      try_to(refusals, [&] { (void)store.decoder_directions(site); });
      try_to(refusals, [&] { (void)store.token_counts(site, Scope::all_time); });
      for (std::int64_t feature = 0; feature < std::min(kMost, stored.site.features); ++feature) {
        read_feature(store, site, static_cast<std::uint32_t>(feature), Scope::all_time, refusals);
      }
      if (stored.site.features <= kMost) continue;
      read_feature(store, site, static_cast<std::uint32_t>(stored.site.features - 1), Scope::recent, refusals);
    }
  });
  return refusals;
}

}  // namespace saetap::testing

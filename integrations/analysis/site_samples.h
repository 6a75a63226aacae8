// The kept samples of all features of a site, each with its token, in memory at once.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "plugin/store/store_reader.h"

namespace saetap {

inline constexpr std::int32_t kTokenNotKnown = -1;

struct PlacedSample {
  SequenceId sequence = 0;
  std::uint32_t position = 0;
  std::uint32_t step = 0;
  float activation = 0;
  std::int32_t token = kTokenNotKnown;
};

enum class SampleKind : std::uint8_t { strongest, random };

// For what compares features with one another: 24 bytes for each sample, so 65,536 features with 100 each take 157 MB.
// A command about one feature asks the store itself.
class SiteSamples {
 public:
  // Calls `tick` with the number of features read; may be empty. Throws StoreError.
  [[nodiscard]] static SiteSamples read(const StoreReader& store, const StoredSite& site, Scope scope, SampleKind kind,
                                        const std::function<void(std::size_t)>& tick = {});

  [[nodiscard]] std::size_t features() const { return begins_.size() - 1; }
  // Strongest first; of the random ones in an order that means nothing. Of a feature that the site has.
  [[nodiscard]] std::span<const PlacedSample> of(std::uint32_t feature) const {
    return std::span(samples_).subspan(begins_[feature], begins_[feature + 1] - begins_[feature]);
  }
  // The known tokens among them.
  [[nodiscard]] std::vector<std::int32_t> tokens_of(std::uint32_t feature) const;

 private:
  // The samples of some features, of one checkpoint.
  void add(const StoreReader& store, int site, Scope scope, SampleKind kind, std::uint32_t first, std::uint32_t end);
  void find_tokens(const StoreReader& store);

  std::vector<PlacedSample> samples_;
  std::vector<std::size_t> begins_{0};  // [features + 1]
};

}  // namespace saetap

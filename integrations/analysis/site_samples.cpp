#include "integrations/analysis/site_samples.h"

#include <algorithm>
#include <numeric>

namespace saetap {

SiteSamples SiteSamples::read(const StoreReader& store, const StoredSite& site, Scope scope, SampleKind kind,
                              const std::function<void(std::size_t)>& tick) {
  constexpr std::uint32_t kReadTogether = 256;  // some milliseconds
  SiteSamples all;
  const auto features = static_cast<std::uint32_t>(site.site.features);
  for (std::uint32_t first = 0; first < features; first += kReadTogether) {
    const std::uint32_t end = std::min(features, first + kReadTogether);
    all.add(store, site.site.id, scope, kind, first, end);
    if (tick) tick(end);
  }
  all.samples_.shrink_to_fit();
  all.find_tokens(store);
  return all;
}

void SiteSamples::add(const StoreReader& store, int site, Scope scope, SampleKind kind, std::uint32_t first,
                      std::uint32_t end) {
  const StoreReader::Together together(store);
  for (std::uint32_t feature = first; feature < end; ++feature) {
    const std::vector<Sample> samples = kind == SampleKind::strongest ? store.samples(site, feature, scope)
                                                                      : store.random_samples(site, feature, scope);
    for (const Sample& one : samples) {
      samples_.push_back({.sequence = one.sequence,
                          .position = one.position,
                          .step = one.step,
                          .activation = one.activation,
                          .token = kTokenNotKnown});
    }
    begins_.push_back(samples_.size());
  }
}

std::vector<std::int32_t> SiteSamples::tokens_of(std::uint32_t feature) const {
  std::vector<std::int32_t> tokens;
  for (const PlacedSample& sample : of(feature)) {
    if (sample.token != kTokenNotKnown) tokens.push_back(sample.token);
  }
  return tokens;
}

// The samples in the order of the stored text, and then both from one end to the other.
void SiteSamples::find_tokens(const StoreReader& store) {
  const auto before = [](const PlacedSample& a, SequenceId sequence, std::uint64_t position) {
    return a.sequence == sequence ? a.position < position : StoreReader::stored_before(a.sequence, sequence);
  };
  std::vector<std::uint32_t> order(samples_.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return before(samples_[a], samples_[b].sequence, samples_[b].position);
  });
  auto next = order.begin();
  store.each_segment([&](const StoredSegment& segment) {
    while (next != order.end() && before(samples_[*next], segment.sequence, segment.first)) ++next;
    const std::uint64_t end = segment.first + segment.tokens.size();
    for (; next != order.end() && before(samples_[*next], segment.sequence, end); ++next) {
      samples_[*next].token = segment.tokens[static_cast<std::size_t>(samples_[*next].position - segment.first)];
    }
  });
}

}  // namespace saetap

#include "plugin/collect/site_collection.h"

#include <algorithm>
#include <limits>

namespace saetap {

Part::Part(const Site& site, const Window& of, const CollectorOptions& options)
    : window(of),
      samples(site.features, options.max_samples_per_feature, options.lowest_bar(),
              options.limit.alike == SampleLimit::Alike::no ? 0 : options.limit.most),
      random_samples(site.features, options.random_samples_per_feature),
      statistics(static_cast<std::size_t>(site.features)),
      histograms(static_cast<std::size_t>(site.features)),
      counted(static_cast<std::size_t>(site.features)) {}

void Part::mark_saved() {
  samples.mark_saved();
  random_samples.mark_saved();
  tokens.mark_saved();
  std::fill(counted.begin(), counted.end(), std::uint8_t{0});
  saved = true;
}

std::size_t Part::bytes() const {
  std::size_t bytes =
      samples.bytes() + random_samples.bytes() + tokens.bytes() + statistics.size() * sizeof(FeatureStatistics);
  for (const ActivationHistogram& one : histograms) bytes += sizeof one + one.counts().size() * sizeof(std::uint64_t);
  return bytes;
}

void Part::each_sample(const std::function<void(const Sample&)>& see) const {
  for (std::uint32_t feature = 0; feature < statistics.size(); ++feature) {
    for (const Sample& sample : samples.strongest(feature)) see(sample);
    for (const Sample& sample : random_samples.samples(feature)) see(sample);
  }
}

SiteCollection::SiteCollection(const Site& attached, const CollectorOptions& options)
    : site(&attached),
      threshold_bars(static_cast<std::size_t>(attached.features), options.lowest_bar()),
      all_hashes(static_cast<std::size_t>(attached.features),
                 options.random_samples_per_feature == 0 ? 0 : std::numeric_limits<std::uint32_t>::max()),
      ever_active(static_cast<std::size_t>(attached.features)) {
  part(PartKind::open) = std::make_unique<Part>(attached, window_of(options.window_rule, 0), options);
}

void SiteCollection::each_leaving_sample(const std::function<void(const Sample&)>& see) const {
  for (const PartKind kind : {PartKind::past, PartKind::closed}) {
    if (part(kind) != nullptr) part(kind)->each_sample(see);
  }
  for (const HistoryEntry& entry : unsaved_history) {
    for (const HistoryEntry::Feature& feature : entry.features) {
      for (const Sample& sample : feature.top) see(sample);
    }
  }
}

}  // namespace saetap

// A run that goes on: the tables of the open window are filled from what the store has of it.
#include "plugin/collect/sample_collector.h"

namespace saetap {

void SampleCollector::go_on(const Site& site, const KeptWindow& kept) {
  SiteCollection& collection = sites_.at(site.id);
  Part& part = collection.open();
  part.window = kept.window;
  part.first_step = kept.first_step;
  part.last_step = kept.last_step;
  part.eligible = kept.eligible;
  part.tokens.add(kept.tokens);
  collection.ever_active = kept.ever_active;
  for (std::uint32_t feature = 0; feature < part.statistics.size(); ++feature) {
    const FeatureRows rows = kept.feature(feature, contexts_);
    part.statistics[feature] = rows.statistics;
    part.histograms[feature] = rows.histogram;
    for (std::size_t i = 0; i < rows.samples.size(); ++i) {
      take_back(collection, rows.samples[i], kept);
      move_in(part, feature, rows.samples[i], rows.groups.empty() ? 0 : rows.groups[i]);
    }
    for (const Sample& sample : rows.random_samples) {
      take_back(collection, sample, kept);
      move_in_random(part, feature, sample);
    }
  }
  part.mark_saved();
}

void SampleCollector::forget(const Site& site) {
  SiteCollection& collection = sites_.at(site.id);
  collection.open().each_sample([this](const Sample& sample) { release(sample); });
  collection = SiteCollection(site, options_);
}

// Of the places met before only those that are kept matter: the others are in no table in which they could be found.
void SampleCollector::take_back(SiteCollection& collection, const Sample& sample, const KeptWindow& kept) {
  const TokenPosition at{sample.sequence, sample.position};
  (void)collection.places.meet(at);
  if (!has_tokens(at.sequence)) return;
  sequences_.pin(at, {});
  const auto [first, last] = context_segments(at.position, options_.sample_context_size, options_.sample_context_size);
  for (std::uint32_t number = first; number <= last; ++number) {
    const SegmentKey key{at.sequence, number};
    if (sequences_.segments().at(key).saved) continue;
    if (const auto text = kept.text(key)) sequences_.add_stored(key, text->length, text->tokens);
  }
}

}  // namespace saetap

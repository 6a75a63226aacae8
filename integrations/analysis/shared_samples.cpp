#include "integrations/analysis/shared_samples.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace saetap {
namespace {

struct PlacedEntry {
  SequenceId sequence = 0;
  std::uint32_t position = 0;
  std::uint32_t feature = 0;

  friend auto operator<=>(const PlacedEntry&, const PlacedEntry&) = default;
};

}  // namespace

SampleRows SampleRows::of_places(const SiteSamples& samples) {
  std::vector<PlacedEntry> placed;
  std::vector<std::uint32_t> sizes;
  for (std::uint32_t feature = 0; feature < samples.features(); ++feature) {
    for (const PlacedSample& one : samples.of(feature)) placed.push_back({one.sequence, one.position, feature});
    sizes.push_back(static_cast<std::uint32_t>(samples.of(feature).size()));
  }
  std::sort(placed.begin(), placed.end());
  std::vector<Entry> entries;
  entries.reserve(placed.size());
  std::uint32_t key = 0;
  for (std::size_t i = 0; i < placed.size(); ++i) {
    const bool same = i == 0 || std::tie(placed[i].sequence, placed[i].position) ==
                                    std::tie(placed[i - 1].sequence, placed[i - 1].position);
    if (!same) ++key;
    entries.push_back({placed[i].feature, key});
  }
  return {std::move(entries), std::move(sizes), std::size_t{key} + 1, true};
}

SampleRows SampleRows::of_tokens(const SiteSamples& samples) {
  std::vector<Entry> entries;
  std::vector<std::uint32_t> sizes;
  std::vector<std::int32_t> tokens;  // that there are: an id may be anything
  for (std::uint32_t feature = 0; feature < samples.features(); ++feature) {
    const std::vector<std::int32_t> own = samples.tokens_of(feature);
    for (const std::int32_t token : own) entries.push_back({feature, static_cast<std::uint32_t>(token)});
    tokens.insert(tokens.end(), own.begin(), own.end());
    sizes.push_back(static_cast<std::uint32_t>(own.size()));
  }
  std::sort(tokens.begin(), tokens.end());
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  for (Entry& entry : entries) {
    const auto found = std::lower_bound(tokens.begin(), tokens.end(), static_cast<std::int32_t>(entry.key));
    entry.key = static_cast<std::uint32_t>(found - tokens.begin());
  }
  return {std::move(entries), std::move(sizes), tokens.size(), false};
}

SampleRows::SampleRows(std::vector<Entry> entries, std::vector<std::uint32_t> sizes, std::size_t keys, bool jaccard)
    : jaccard_(jaccard), keys_(keys), sizes_(std::move(sizes)), lengths_(sizes_.size()), row_begins_{0} {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::tie(a.feature, a.key) < std::tie(b.feature, b.key); });
  auto next = entries.begin();
  for (std::uint32_t feature = 0; feature < sizes_.size(); ++feature) {
    while (next != entries.end() && next->feature == feature) {
      const auto end = std::find_if(next, entries.end(),
                                    [&](const Entry& one) { return one.feature != feature || one.key != next->key; });
      // A place counts once, however often a damaged store has it.
      const auto count = jaccard_ ? 1.0f : static_cast<float>(end - next);
      row_keys_.push_back(next->key);
      row_counts_.push_back(count);
      lengths_[feature] += static_cast<double>(count) * static_cast<double>(count);
      next = end;
    }
    if (jaccard_) sizes_[feature] = static_cast<std::uint32_t>(row_keys_.size() - row_begins_.back());
    lengths_[feature] = std::sqrt(lengths_[feature]);
    row_begins_.push_back(row_keys_.size());
  }
  list_by_key();
}

void SampleRows::list_by_key() {
  key_begins_.assign(keys_ + 1, 0);
  for (const std::uint32_t key : row_keys_) ++key_begins_[key + 1];
  for (std::size_t key = 0; key < keys_; ++key) key_begins_[key + 1] += key_begins_[key];
  key_features_.resize(row_keys_.size());
  key_counts_.resize(row_keys_.size());
  std::vector<std::size_t> next = key_begins_;
  for (std::uint32_t feature = 0; feature < features(); ++feature) {
    for (std::size_t i = row_begins_[feature]; i < row_begins_[feature + 1]; ++i) {
      const std::size_t at = next[row_keys_[i]]++;
      key_features_[at] = feature;
      key_counts_[at] = row_counts_[i];
    }
  }
}

double SampleRows::similarity(std::uint32_t a, std::uint32_t b, double product) const {
  const double whole = jaccard_ ? sizes_[a] + sizes_[b] - product : lengths_[a] * lengths_[b];
  return whole > 0 ? std::min(1.0, product / whole) : 0;
}

template <typename Take>
void SampleRows::gather(std::uint32_t feature, std::uint32_t first, std::vector<SharedSamples>& sums, Take take) const {
  std::vector<std::uint32_t> touched;
  for (std::size_t i = row_begins_[feature]; i < row_begins_[feature + 1]; ++i) {
    const auto begin = key_features_.begin() + static_cast<std::ptrdiff_t>(key_begins_[row_keys_[i]]);
    const auto end = key_features_.begin() + static_cast<std::ptrdiff_t>(key_begins_[row_keys_[i] + 1]);
    for (auto other = std::lower_bound(begin, end, first); other != end; ++other) {
      SharedSamples& sum = sums[*other];
      if (sum.shared++ == 0) touched.push_back(*other);
      const float count = key_counts_[static_cast<std::size_t>(other - key_features_.begin())];
      sum.similarity += static_cast<double>(row_counts_[i]) * static_cast<double>(count);
    }
  }
  for (const std::uint32_t other : touched) {
    if (other != feature) {
      take(SharedSamples{other, similarity(feature, other, sums[other].similarity), sums[other].shared});
    }
    sums[other] = {};
  }
}

std::vector<SharedSamples> SampleRows::sharing_with(std::uint32_t feature) const {
  std::vector<SharedSamples> sums(features()), found;
  gather(feature, 0, sums, [&](const SharedSamples& shared) { found.push_back(shared); });
  return found;
}

void SampleRows::find_similar(PairKeeper& keeper, const FeatureProgress& progress) const {
  std::vector<SharedSamples> sums(features());
  for (std::uint32_t feature = 0; feature < features(); ++feature) {
    gather(feature, feature + 1, sums, [&](const SharedSamples& shared) {
      const auto similarity = static_cast<float>(shared.similarity);
      const float bar = std::min(keeper.bars()[feature], keeper.bars()[shared.feature]);
      if (similarity >= bar) keeper.offer({feature, shared.feature, similarity});
    });
    if (progress) progress(feature + 1);
  }
}

// Dealt out at random, a feature may get a place twice: one of the two is swapped for another feature's, so that each
// has as many different ones as it had. A swap makes no new pair, so that once through is enough.
void SampleRows::swap_twins(std::vector<std::uint32_t>& keys, RandomBits& bits) const {
  constexpr int kTries = 1000;
  std::vector<std::uint32_t> last_of(keys_, static_cast<std::uint32_t>(features()));  // the last feature with the key
  const auto has = [&](std::size_t feature, std::uint32_t key) {
    const auto row = std::span(keys).subspan(row_begins_[feature], row_begins_[feature + 1] - row_begins_[feature]);
    return std::ranges::find(row, key) != row.end();
  };
  for (std::uint32_t feature = 0; feature < features(); ++feature) {
    for (std::size_t i = row_begins_[feature]; i < row_begins_[feature + 1]; ++i) {
      for (int tries = 0; last_of[keys[i]] == feature && tries < kTries; ++tries) {
        const std::size_t at = random_index(bits, keys.size());
        const auto next = std::upper_bound(row_begins_.begin(), row_begins_.end(), at);
        const auto other = static_cast<std::size_t>(next - row_begins_.begin()) - 1;
        if (!has(feature, keys[at]) && !has(other, keys[i])) std::swap(keys[i], keys[at]);
      }
      last_of[keys[i]] = feature;
    }
  }
}

SampleRows SampleRows::shuffled(std::uint64_t seed) const {
  std::vector<std::uint32_t> keys = row_keys_;
  RandomBits bits(seed);
  shuffle(std::span(keys), bits);
  swap_twins(keys, bits);
  std::vector<Entry> entries;
  entries.reserve(keys.size());
  for (std::uint32_t feature = 0; feature < features(); ++feature) {
    for (std::size_t i = row_begins_[feature]; i < row_begins_[feature + 1]; ++i) entries.push_back({feature, keys[i]});
  }
  return {std::move(entries), sizes_, keys_, jaccard_};
}

}  // namespace saetap

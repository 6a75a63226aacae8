// What was seen, in the plainest form, and what has to be kept of it by sorting and counting all of it anew.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "plugin/collect/feature_statistics.h"
#include "plugin/collect/sample.h"
#include "plugin/collect/windows.h"
#include "plugin/scan/activation_histogram.h"
#include "plugin/store/store_reader.h"

namespace saetap::testing {

// Everything that one feature was seen to do, in the plainest form.
struct Seen {
  std::uint64_t window;
  Sample sample;  // any activation, negative and NaN too
};

// What was seen of each feature, and the windows in which a row counted.
struct Record {
  std::vector<std::vector<Seen>> features;
  std::map<std::uint64_t, std::uint64_t> eligible;             // by window
  std::vector<std::pair<std::uint64_t, std::int32_t>> tokens;  // window and token of each row that counted
};

// Boundaries written down for the growing rule: 32, +40, +50, +62, +77, +96, +120, +150, +187, +233, +291, +363, +453.
inline std::uint64_t window_number(const WindowRule& rule, std::uint64_t step) {
  if (rule.kind == WindowRule::Kind::single) return 0;
  if (rule.kind == WindowRule::Kind::fixed) return step / rule.fixed_steps;
  const std::vector<std::uint64_t> ends{32, 72, 122, 184, 261, 357, 477, 627, 814, 1047, 1338, 1701, 2154};
  return static_cast<std::uint64_t>(std::upper_bound(ends.begin(), ends.end(), step) - ends.begin());
}

// The windows that a scope covers: all, or the last two in which anything was collected.
inline std::set<std::uint64_t> covered(const Record& record, Scope scope) {
  std::set<std::uint64_t> windows;
  for (auto it = record.eligible.rbegin(); it != record.eligible.rend(); ++it) {
    if (scope == Scope::all_time || windows.size() < 2) windows.insert(it->first);
  }
  return windows;
}

// What a sample is like: samples with the same key are.
using Likeness = std::vector<std::int64_t>;
using LikenessOf = std::function<Likeness(const Sample&)>;

// The strongest first; of those that are alike only the first `most_alike`, if that is not 0.
inline std::vector<Sample> brute_force(const std::vector<Seen>& seen, const std::set<std::uint64_t>& windows,
                                       std::size_t k, float threshold, std::size_t most_alike,
                                       const LikenessOf& likeness) {
  std::map<std::pair<SequenceId, std::uint32_t>, Sample> best;
  for (const Seen& one : seen) {
    const Sample& sample = one.sample;
    if (!windows.contains(one.window) || !std::isfinite(sample.activation)) continue;
    if (sample.activation == 0 || std::abs(sample.activation) < threshold) continue;
    const auto [at, added] = best.try_emplace({sample.sequence, sample.position}, sample);
    const auto rank = [](const Sample& s) { return std::tuple(std::abs(s.activation), s.step, s.activation); };
    if (!added && rank(sample) > rank(at->second)) {
      at->second = sample;
    }
  }
  std::vector<Sample> sorted;
  for (const auto& [place, sample] : best) sorted.push_back(sample);
  // The map is in order of the place; a stable sort keeps that order among equals.
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Sample& a, const Sample& b) { return std::abs(a.activation) > std::abs(b.activation); });
  std::map<Likeness, std::size_t> met;
  std::vector<Sample> kept;
  for (const Sample& sample : sorted) {
    if (kept.size() < k && (most_alike == 0 || met[likeness(sample)]++ < most_alike)) kept.push_back(sample);
  }
  return kept;
}

inline FeatureStatistics brute_statistics(const std::vector<Seen>& seen, const std::set<std::uint64_t>& windows) {
  FeatureStatistics statistics;
  for (const Seen& one : seen) {
    const double value = one.sample.activation;
    if (!windows.contains(one.window)) continue;
    if (!std::isfinite(value)) {
      ++statistics.nonfinite;
    } else if (value != 0) {
      ++statistics.active;
      statistics.negative += value < 0 ? 1 : 0;
      statistics.sum += value;
      statistics.sum_of_squares += value * value;
      if (std::pair(std::abs(value), value) > std::pair<double, double>(std::abs(statistics.max), statistics.max)) {
        statistics.max = one.sample.activation;
      }
    }
  }
  return statistics;
}

// Every active place with its latest activation, the k with the smallest hashes.
inline std::vector<Sample> brute_random(const std::vector<Seen>& seen, const std::set<std::uint64_t>& windows,
                                        std::size_t k) {
  std::map<std::pair<SequenceId, std::uint32_t>, Sample> latest;
  for (const Seen& one : seen) {
    const Sample& sample = one.sample;
    if (!windows.contains(one.window) || !std::isfinite(sample.activation) || sample.activation == 0) continue;
    const auto [at, added] = latest.try_emplace({sample.sequence, sample.position}, sample);
    const auto rank = [](const Sample& s) { return std::tuple(s.step, std::abs(s.activation), s.activation); };
    if (!added && rank(sample) > rank(at->second)) at->second = sample;
  }
  std::map<std::uint64_t, Sample> by_hash;
  for (const auto& [place, sample] : latest) by_hash[place_hash({place.first, place.second})] = sample;
  std::vector<Sample> first;
  for (const auto& [hash, sample] : by_hash) {
    if (first.size() < k) first.push_back(sample);
  }
  return first;
}

// A store says nothing of ids that no vocabulary has.
inline std::vector<std::pair<std::int32_t, std::uint64_t>> brute_tokens(const Record& record,
                                                                        const std::set<std::uint64_t>& windows) {
  std::map<std::int32_t, std::uint64_t> counts;
  for (const auto& [window, token] : record.tokens) {
    if (windows.contains(window) && token < 2'097'152) ++counts[token];
  }
  return {counts.begin(), counts.end()};
}

inline ActivationHistogram brute_histogram(const std::vector<Seen>& seen, const std::set<std::uint64_t>& windows) {
  ActivationHistogram histogram;
  for (const Seen& one : seen) {
    const float value = one.sample.activation;
    if (!windows.contains(one.window) || !std::isfinite(value) || value == 0) continue;
    const auto bin = std::floor(std::log2(std::abs(double{value})) * kBinsPerOctave + 1e-9) + 127 * kBinsPerOctave;
    histogram.add(static_cast<std::uint32_t>(bin), 1);
  }
  return histogram;
}

}  // namespace saetap::testing

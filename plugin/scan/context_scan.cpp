#include "plugin/scan/context_scan.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "plugin/scan/scalar.h"

namespace saetap {

namespace {

std::int64_t first_entry(const PairActivations& code, std::uint32_t row) {
  return row * code.per_row;
}

std::int64_t first_entry(const SparseActivations& code, std::uint32_t row) {
  return index_at(code.row_starts, code.index_kind, row);
}

// The entries of some features, each feature's in the order of the text: looking through all entries of the rows around
// every candidate takes longer as soon as there are many candidates.
class EntriesByFeature {
 public:
  struct Entry {
    std::uint32_t place = 0;  // index of its row in ContextRows::in_order()
    float value = 0;
  };

  // Of the features first..last.
  template <typename Code>
  EntriesByFeature(const Code& code, std::span<const std::uint32_t> rows, std::uint32_t first, std::uint32_t last)
      : first_(first), ends_(std::size_t{last - first} + 2) {
    const auto width = ends_.size() - 1;
    const auto each = [&](const auto& take) {
      for (std::uint32_t place = 0; place < rows.size(); ++place) {
        const auto end = first_entry(code, rows[place] + 1);
        for (auto entry = first_entry(code, rows[place]); entry < end; ++entry) {
          const auto feature = static_cast<std::uint64_t>(index_at(code.features, code.index_kind, entry)) - first;
          if (feature < width) take(feature, place, entry);
        }
      }
    };
    each([&](std::uint64_t feature, std::uint32_t, std::int64_t) { ++ends_[feature + 1]; });
    for (std::size_t i = 1; i < ends_.size(); ++i) ends_[i] += ends_[i - 1];
    entries_.resize(ends_.back());
    // ends_[f] is where the next entry of f goes, and in the end where those of f end.
    each([&](std::uint64_t feature, std::uint32_t place, std::int64_t entry) {
      entries_[ends_[feature]++] = {place, scalar_at(code.values, code.kind, entry)};
    });
  }

  [[nodiscard]] std::span<const Entry> of(std::uint32_t feature) const {
    const auto at = feature - first_;
    const auto begin = at == 0 ? 0 : ends_[at - 1];
    return std::span(entries_).subspan(begin, ends_[at] - begin);
  }

 private:
  std::uint32_t first_;
  std::vector<std::size_t> ends_;
  std::vector<Entry> entries_;
};

// Adds to the list of the candidate whose turn it is.
void add(CandidateContexts& contexts, std::int64_t offset, float activation) {
  if (offset == 0 || activation == 0 || !std::isfinite(activation)) return;
  contexts.activations.push_back({static_cast<std::int32_t>(offset), activation});
}

void end_list(CandidateContexts& contexts, std::size_t candidate, std::size_t first) {
  contexts.contexts[candidate] = {static_cast<std::uint32_t>(first),
                                  static_cast<std::uint32_t>(contexts.activations.size() - first)};
}

// Candidates go by the order of the text and by stripes of features, so that the rows around the next one are those
// that the cache holds: as they come, nearly every number would be read from memory.
void scan(const DenseActivations& code, std::span<const Candidate> candidates, const ContextRows& rows,
          CandidateContexts& contexts) {
  constexpr std::uint32_t kStripe = 1024;
  struct Visit {
    std::uint32_t stripe = 0;
    std::uint32_t place = 0;
    std::uint32_t candidate = 0;
  };
  std::vector<Visit> visits;
  for (std::uint32_t i = 0; i < candidates.size(); ++i) {
    const auto around = rows.around(candidates[i].row);
    if (around) visits.push_back({candidates[i].feature / kStripe, around->first + around->own, i});
  }
  std::sort(visits.begin(), visits.end(), [](const Visit& a, const Visit& b) {
    return std::tuple(a.stripe, a.place, a.candidate) < std::tuple(b.stripe, b.place, b.candidate);
  });
  for (const Visit& visit : visits) {
    const Candidate& candidate = candidates[visit.candidate];
    const auto around = *rows.around(candidate.row);
    const auto first = contexts.activations.size();
    for (std::uint32_t at = 0; at < around.rows.size(); ++at) {
      const auto place = code.offset(around.rows[at]) + candidate.feature * code.feature_stride;
      add(contexts, std::int64_t{at} - around.own, scalar_at(code.values, code.kind, place));
    }
    end_list(contexts, visit.candidate, first);
  }
}

// What no entry names is 0. Of several entries of one row and feature the first one counts.
template <typename Code>
float activation_at(const Code& code, std::uint32_t row, std::uint32_t feature) {
  const auto end = first_entry(code, row + 1);
  for (auto entry = first_entry(code, row); entry < end; ++entry) {
    if (index_at(code.features, code.index_kind, entry) == std::int64_t{feature}) {
      return scalar_at(code.values, code.kind, entry);
    }
  }
  return 0;
}

template <typename Code>
void scan_one_by_one(const Code& code, std::span<const Candidate> candidates, const ContextRows& rows,
                     CandidateContexts& contexts) {
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto around = rows.around(candidates[i].row);
    if (!around) continue;
    const auto first = contexts.activations.size();
    for (std::uint32_t at = 0; at < around->rows.size(); ++at) {
      add(contexts, std::int64_t{at} - around->own, activation_at(code, around->rows[at], candidates[i].feature));
    }
    end_list(contexts, i, first);
  }
}

template <typename Code>
void scan(const Code& code, std::span<const Candidate> candidates, const ContextRows& rows,
          CandidateContexts& contexts) {
  constexpr std::size_t kRowsAround = 20;  // as many as all rows are read twice
  if (candidates.size() * kRowsAround < rows.in_order().size()) {
    return scan_one_by_one(code, candidates, rows, contexts);
  }
  const auto [lowest, highest] = std::ranges::minmax(candidates, {}, &Candidate::feature);
  const EntriesByFeature entries(code, rows.in_order(), lowest.feature, highest.feature);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto around = rows.around(candidates[i].row);
    if (!around) continue;
    const auto first = contexts.activations.size();
    const auto of_feature = entries.of(candidates[i].feature);
    const auto own = around->first + around->own;
    const auto end = around->first + around->rows.size();
    auto entry = std::ranges::lower_bound(of_feature, around->first, {}, &EntriesByFeature::Entry::place);
    for (auto before = of_feature.end(); entry != of_feature.end() && entry->place < end; before = entry++) {
      if (before != of_feature.end() && before->place == entry->place) continue;
      add(contexts, std::int64_t{entry->place} - own, entry->value);
    }
    end_list(contexts, i, first);
  }
}

}  // namespace

void scan_contexts(const Activations& activations, std::span<const Candidate> candidates, const ContextRows& rows,
                   CandidateContexts& contexts) {
  contexts.contexts.assign(candidates.size(), {});
  contexts.activations.clear();
  if (candidates.empty()) return;
  std::visit([&](const auto& code) { scan(code, candidates, rows, contexts); }, activations);
}

}  // namespace saetap

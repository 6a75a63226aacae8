#include "plugin/trace/context_rows.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace saetap {

namespace {

// A batch drawn from a large buffer has few rows of any sequence: looking for those with fewer than this in it would
// cost more than it finds.
constexpr std::uint32_t kFewestTogether = 8;

bool follows(const TokenPosition& next, const TokenPosition& before) {
  return next.sequence == before.sequence && next.position == before.position + 1;
}

bool in_order_of_text(std::span<const TokenPosition> positions) {
  std::size_t following = 0;
  for (std::size_t row = 1; row < positions.size(); ++row) {
    following += follows(positions[row], positions[row - 1]) ? 1 : 0;
  }
  return 2 * following >= positions.size();
}

// [rows]: an upper bound of how many rows of the same sequence the batch has.
class RowsTogether {
 public:
  explicit RowsTogether(std::span<const TokenPosition> positions) {
    std::size_t size = 64;
    while (size < 4 * positions.size()) size *= 2;
    counts_.resize(size);
    for (const auto& at : positions) ++counts_[place(at.sequence)];
  }
  [[nodiscard]] std::uint32_t most(SequenceId sequence) const { return counts_[place(sequence)]; }

 private:
  // The id is a hash, but for its highest bit.
  [[nodiscard]] std::size_t place(SequenceId sequence) const { return sequence & (counts_.size() - 1); }
  std::vector<std::uint32_t> counts_;
};

}  // namespace

ContextRows::ContextRows(std::span<const TokenPosition> positions, const TokenSource& tokens, std::uint32_t context)
    : context_(context), places_(positions.size()) {
  if (in_order_of_text(positions)) {
    order_.resize(positions.size());
    std::iota(order_.begin(), order_.end(), 0u);
  } else {
    sort_rows(positions);
  }
  find_runs(positions, tokens);
}

void ContextRows::sort_rows(std::span<const TokenPosition> positions) {
  const RowsTogether together(positions);
  const auto fewest = std::min(kFewestTogether, context_ + 1);
  for (std::uint32_t row = 0; row < positions.size(); ++row) {
    const auto sequence = positions[row].sequence;
    if (has_tokens(sequence) && together.most(sequence) >= fewest) order_.push_back(row);
  }
  std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::tuple(positions[a].sequence, positions[a].position, a) <
           std::tuple(positions[b].sequence, positions[b].position, b);
  });
  // Of several rows of one place nothing says which belongs to which of the rows around it.
  std::vector<std::uint32_t> once;
  for (std::size_t i = 0; i < order_.size(); ++i) {
    const auto same = [&](std::size_t other) { return positions[order_[i]] == positions[order_[other]]; };
    if ((i == 0 || !same(i - 1)) && (i + 1 == order_.size() || !same(i + 1))) once.push_back(order_[i]);
  }
  order_ = std::move(once);
}

void ContextRows::find_runs(std::span<const TokenPosition> positions, const TokenSource& tokens) {
  for (std::uint32_t first = 0; first < order_.size();) {
    auto end = first + 1;
    while (end < order_.size() && follows(positions[order_[end]], positions[order_[end - 1]])) ++end;
    const auto& begin = positions[order_[first]];
    const auto length = has_tokens(begin.sequence) ? tokens.tokens(begin.sequence).size() : 0;
    // A shorter run than this holds no row's whole context.
    if (length > 0 && end - first >= std::min<std::size_t>(length, std::size_t{context_} + 1)) {
      for (auto i = first; i < end; ++i) places_[order_[i]] = {static_cast<std::uint32_t>(runs_.size()), i};
      runs_.push_back({first, end - first, begin.position, static_cast<std::uint32_t>(length)});
    }
    first = end;
  }
}

std::optional<ContextRows::Around> ContextRows::around(std::uint32_t row) const {
  const auto place = places_[row];
  if (place.run == kNoRun) return std::nullopt;
  const auto& run = runs_[place.run];
  const auto own = place.at - run.first;
  const auto position = run.position + own;
  const auto before = std::min(position, context_);
  const auto after = std::min(run.length - 1 - std::min(position, run.length - 1), context_);
  if (before > own || after > run.count - 1 - own) return std::nullopt;
  return Around{std::span(order_).subspan(place.at - before, std::size_t{before} + after + 1), before,
                place.at - before};
}

}  // namespace saetap

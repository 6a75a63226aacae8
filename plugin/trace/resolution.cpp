// What became of a batch of rows, once each is known to be found or not.
#include "plugin/trace/provenance.h"

namespace saetap {

Resolution Provenance::resolution_of(Reader& reader, const std::vector<Found>& found, SequenceId unresolved) const {
  Resolution resolution;
  resolution.positions.reserve(found.size());
  resolution.eligible.reserve(found.size());
  resolution.tokens = tokens_of(found);
  for (const auto& row : found) {
    const auto running_number = first_row_ + reader.rows++;
    const bool known = row.what == Found::What::origin;
    const bool excluded = known && row.origin.counts == 0;
    resolution.resolved += known ? 1 : 0;
    resolution.excluded += excluded ? 1 : 0;
    resolution.ambiguous += row.what == Found::What::ambiguous ? 1 : 0;
    resolution.eligible.push_back(excluded ? 0 : 1);
    if (known && row.origin.sequence != RowOrigin::kNoSequence) {
      resolution.positions.push_back({sequences_.id(row.origin.sequence), row.origin.position});
    } else {
      // The sequence carries the high half, so that numbers never repeat; the highest bit stays clear: no tokens.
      const auto high = (running_number >> 32) * 0x9E3779B97F4A7C15ull;
      resolution.positions.push_back({(unresolved + high) & ~kHasTokens, static_cast<std::uint32_t>(running_number)});
    }
  }
  return resolution;
}

// Rows of a shuffled buffer have their tokens all over memory: all are asked for before the first is read, which takes
// half the time.
std::vector<std::int32_t> Provenance::tokens_of(const std::vector<Found>& found) const {
  std::vector<const std::int32_t*> places(found.size());
  for (std::size_t row = 0; row < found.size(); ++row) {
    const auto& origin = found[row].origin;
    const bool known = found[row].what == Found::What::origin && origin.sequence != RowOrigin::kNoSequence;
    if (!known || origin.counts == 0) continue;
    places[row] = sequences_.token(origin.sequence, origin.position);
    __builtin_prefetch(places[row]);
  }
  std::vector<std::int32_t> tokens;
  tokens.reserve(places.size());
  for (const auto* place : places) tokens.push_back(place == nullptr ? kNoToken : *place);
  return tokens;
}

}  // namespace saetap

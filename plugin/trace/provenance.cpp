#include "plugin/trace/provenance.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace saetap {

namespace {

// How many rows of a batch are tried against each stream to find the one they come from.
constexpr std::size_t kProbedRows = 64;

bool contains(const std::vector<std::int32_t>& ids, std::int32_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

std::span<const std::int32_t> SequenceMemory::tokens(SequenceId sequence) const {
  const auto found = slots_.find(sequence);
  if (found == slots_.end()) return {};
  return sequences_[found->second].tokens;
}

std::uint32_t SequenceMemory::slot_of(std::span<const std::int32_t> stripped) {
  const auto id = sequence_id(stripped);
  const auto [found, is_new] = slots_.try_emplace(id, 0);
  if (!is_new) return found->second;
  if (free_.empty()) {
    found->second = static_cast<std::uint32_t>(sequences_.size());
    sequences_.emplace_back();
  } else {
    found->second = free_.back();
    free_.pop_back();
  }
  sequences_[found->second] = {id, {stripped.begin(), stripped.end()}, 0};
  return found->second;
}

void SequenceMemory::drop_row(std::uint32_t slot) {
  auto& sequence = sequences_[slot];
  if (--sequence.rows > 0) return;
  slots_.erase(sequence.id);
  sequence = {};
  free_.push_back(slot);
}

Provenance::Provenance(IgnoreRule ignore, std::size_t buffer_rows)
    : ignore_(std::move(ignore)), buffer_rows_(buffer_rows) {}

// The origins of all tokens of one sequence as the model saw it; those at stripped ends and ignored ones are excluded.
std::vector<RowOrigin> Provenance::origins_of(std::span<const std::int32_t> sequence) {
  std::size_t first = 0;
  std::size_t end = sequence.size();
  while (first < end && contains(ignore_.token_ids, sequence[first])) ++first;
  while (end > first && contains(ignore_.token_ids, sequence[end - 1])) --end;

  const auto slot = sequences_.slot_of(sequence.subspan(first, end - first));
  std::vector<RowOrigin> origins(sequence.size(), RowOrigin{slot, kExcludedPosition});
  for (std::size_t at = first; at < end; ++at) {
    const auto position = static_cast<std::int32_t>(at - first);
    if (position < ignore_.first_positions || contains(ignore_.token_ids, sequence[at])) continue;
    origins[at].position = position;
  }
  return origins;
}

void Provenance::record(const std::string& stream, std::span<const std::int32_t> tokens, std::int64_t length,
                        RowFingerprints rows) {
  if (length <= 0 || rows.values.size() != tokens.size() || tokens.size() % static_cast<std::size_t>(length) != 0)
    return;
  auto& into = streams_[{stream, rows.row_bytes}];
  if (into == nullptr) {
    auto forget = [this](RowOrigin origin) { sequences_.drop_row(origin.slot); };
    into = std::make_unique<Stream>(Stream{stream, RowIndex(buffer_rows_, forget)});
  }
  const auto step = static_cast<std::size_t>(length);
  for (std::size_t at = 0; at < tokens.size(); at += step) {
    const auto origins = origins_of(tokens.subspan(at, step));
    // All rows are counted before any is recorded: recording may forget older rows, and with them this very sequence.
    for (const auto& origin : origins) sequences_.add_row(origin.slot);
    for (std::size_t t = 0; t < step; ++t) into->index.record(rows.values[at + t], origins[t]);
  }
}

Provenance::Stream* Provenance::likeliest_stream(const RowFingerprints& rows) {
  Stream* best = nullptr;
  std::size_t best_hits = 0;
  const auto stride = std::max<std::size_t>(1, rows.values.size() / kProbedRows);
  for (auto& [key, stream] : streams_) {
    if (key.second != rows.row_bytes) continue;
    std::size_t hits = 0;
    for (std::size_t row = 0; row < rows.values.size(); row += stride) hits += stream->index.contains(rows.values[row]);
    if (hits > best_hits) std::tie(best, best_hits) = std::pair(stream.get(), hits);
  }
  return best;
}

Resolution Provenance::resolve(int reader_id, RowFingerprints rows, SequenceId unresolved) {
  auto& reader = readers_[reader_id];
  // Asked anew for each batch: a trainer may switch from one language model's rows to another's.
  if (auto* stream = likeliest_stream(rows)) reader.stream = stream;

  Resolution resolution;
  resolution.positions.reserve(rows.values.size());
  resolution.eligible.reserve(rows.values.size());
  for (const auto fingerprint : rows.values) {
    const auto running_number = reader.rows++;
    const auto origin = reader.stream != nullptr ? reader.stream->index.take(fingerprint) : std::nullopt;
    const auto position = origin ? origin->position : kExcludedPosition;
    const bool placed = origin && position != kExcludedPosition;
    const bool excluded = origin && !placed;
    resolution.resolved += origin ? 1 : 0;
    resolution.excluded += excluded ? 1 : 0;
    resolution.eligible.push_back(excluded ? 0 : 1);
    if (placed) {
      resolution.positions.push_back({sequences_.id(origin->slot), static_cast<std::uint32_t>(position)});
    } else {
      // The sequence carries the high half, so that numbers never repeat; the highest bit stays clear: no tokens.
      const auto high = (running_number >> 32) * 0x9E3779B97F4A7C15ull;
      resolution.positions.push_back({(unresolved + high) & ~kHasTokens, static_cast<std::uint32_t>(running_number)});
    }
  }
  return resolution;
}

std::string Provenance::stream_of(int reader) const {
  const auto found = readers_.find(reader);
  return found != readers_.end() && found->second.stream != nullptr ? found->second.stream->name : "";
}

}  // namespace saetap

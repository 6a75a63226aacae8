#include "plugin/trace/provenance.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <tuple>
#include <utility>

#include "plugin/trace/checked_order.h"

namespace saetap {

namespace {

// How many rows of a batch are tried against each stream to find the one they come from.
constexpr std::size_t kProbedRows = 64;
// A reader whose rows are found bit for bit needs no robust fingerprints.
constexpr std::uint64_t kEnoughExact = 20000;
constexpr std::uint64_t kPatience = 16;  // calls between two attempts to learn, doubled with each that fails

bool well_formed(const TokenMatrix& tokens) {
  return tokens.length > 0 && !tokens.ids.empty() && tokens.ids.size() % tokens.length == 0 &&
         (tokens.attended.empty() || tokens.attended.size() == tokens.ids.size());
}

std::uint64_t digest(std::span<const std::uint64_t> fingerprints) {
  std::uint64_t value = fingerprints.size();
  for (const auto fingerprint : fingerprints) value = (value ^ fingerprint) * 0x9E3779B97F4A7C15ull + (value >> 29);
  return value;
}

std::string percent(double share) {
  char text[16];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

}  // namespace

Provenance::Provenance(TraceOptions options, ParallelFor parallel)
    : options_(std::move(options)), parallel_(std::move(parallel)) {
  options_.rules.normalise();
}

// ---- remembering ----

// The origins of the tokens of one row of text, each counted in the memory of sequences.
std::vector<RowOrigin> Provenance::origins_of(std::span<const std::int32_t> tokens,
                                              std::span<const std::uint8_t> attended) {
  const auto row = split_documents(tokens, attended, options_.rules);
  std::vector<std::uint32_t> slots;
  for (const auto& document : row.documents) {
    const auto slot = sequences_.slot_of(tokens.subspan(document.first, document.length));
    for (std::size_t t = 0; t < document.length; ++t) sequences_.add_row(slot);
    slots.push_back(slot);
  }
  std::vector<RowOrigin> origins;
  origins.reserve(tokens.size());
  for (const auto& place : row.places) {
    RowOrigin origin;
    if (place.document != TokenPlace::kNoDocument) {
      origin.sequence = slots[static_cast<std::size_t>(place.document)];
      origin.position = static_cast<std::uint32_t>(place.position) & 0x7FFFFFFFu;
      origin.counts = place.counts ? 1 : 0;
    }
    origins.push_back(origin);
  }
  return origins;
}

Provenance::OrderedOrigins Provenance::ordered_origins(std::string name, const TokenMatrix& tokens) {
  OrderedOrigins ordered{std::move(name), {}};
  ordered.origins.reserve(tokens.ids.size());
  for (std::size_t at = 0; at < tokens.ids.size(); at += tokens.length) {
    const auto attended = tokens.attended.empty() ? tokens.attended : tokens.attended.subspan(at, tokens.length);
    const auto origins = origins_of(tokens.ids.subspan(at, tokens.length), attended);
    ordered.origins.insert(ordered.origins.end(), origins.begin(), origins.end());
  }
  return ordered;
}

void Provenance::replace(OrderedOrigins& kept, OrderedOrigins now) {
  for (const auto& origin : kept.origins) {
    if (origin.sequence != RowOrigin::kNoSequence) sequences_.drop_row(origin.sequence);
  }
  kept = std::move(now);
}

ActivationStream& Provenance::stream_of_model(const std::string& name, std::size_t width) {
  auto& stream = streams_[{name, width}];
  if (stream == nullptr) {
    stream = std::make_unique<ActivationStream>(name, width, options_.buffer_rows, sequences_);
    stream->keep_signatures(options_.use_robust);
  }
  return *stream;
}

ActivationStream* Provenance::add_stream(const std::string& name, std::size_t width, std::size_t capacity,
                                         const std::optional<DimensionPairs>& pairs) {
  auto& stream = streams_[{name, width}];
  if (stream != nullptr) return nullptr;
  stream = std::make_unique<ActivationStream>(name, width, capacity, sequences_);
  stream->expect_signed_rows(capacity, options_.use_robust ? pairs : std::nullopt);
  return stream.get();
}

void Provenance::record(const std::string& stream, const TokenMatrix& tokens, const RowMatrix& rows) {
  if (!well_formed(tokens) || rows.count() != tokens.ids.size()) return;
  // All origins are counted before any row is recorded: recording may forget older rows, and with them a sequence.
  const auto now = ordered_origins(stream, tokens);
  stream_of_model(stream, rows.width).record(rows, now.origins, parallel_);
}

void Provenance::record(ActivationStream& stream, const TokenMatrix& tokens, std::span<const std::uint8_t> has_row,
                        std::span<const SignedRow> rows) {
  const auto with_row = has_row.size() - static_cast<std::size_t>(std::ranges::count(has_row, std::uint8_t{0}));
  if (!well_formed(tokens) || has_row.size() != tokens.ids.size() || with_row != rows.size()) return;
  const auto origins = ordered_origins(stream.name(), tokens).origins;
  auto row = rows.begin();
  for (std::size_t i = 0; i < origins.size(); ++i) {
    if (has_row[i] != 0) {
      stream.record(*row++, origins[i]);
    } else if (origins[i].sequence != RowOrigin::kNoSequence) {
      sequences_.drop_row(origins[i].sequence);  // part of the text, and yet nothing will ask for it
    }
  }
}

void Provenance::record_tokens(const std::string& model, const TokenMatrix& tokens) {
  if (!well_formed(tokens) || !options_.trusts_order()) return;
  replace(latest_, ordered_origins(model, tokens));
}

void Provenance::tell(const TokenMatrix& tokens, std::span<const std::int64_t> rows) {
  if (!well_formed(tokens)) return;
  auto all = ordered_origins("", tokens);
  if (!rows.empty()) {
    OrderedOrigins chosen;
    for (const auto place : rows) {
      const bool known = place >= 0 && static_cast<std::size_t>(place) < all.origins.size();
      chosen.origins.push_back(known ? all.origins[static_cast<std::size_t>(place)] : RowOrigin{});
      // A place without a token is no excluded one: it is not known.
      if (!known) chosen.origins.back().counts = 1;
      if (chosen.origins.back().sequence != RowOrigin::kNoSequence) sequences_.add_row(chosen.origins.back().sequence);
    }
    replace(all, std::move(chosen));
  }
  replace(told_, std::move(all));
  ++tellings_;
}

// ---- looking up ----

Resolution Provenance::resolve(int id, const RowMatrix& rows, SequenceId unresolved) {
  auto& reader = readers_[id];
  ++reader.calls;
  reader.width = rows.width;
  std::vector<Found> found(rows.count());
  const bool is_new = reader.calls == 1;
  if (is_new && options_.use_robust) {
    for (auto& [key, stream] : streams_) {
      if (key.second == rows.width) stream->keep_signatures(true);
    }
  }
  if (rows.count() > 0) {
    // The first that fits; each says by itself whether it does.
    from_told(reader, rows, found) || from_order(reader, rows, found) || from_fingerprints(id, reader, rows, found) ||
        from_checked_order(reader, rows, found) || from_signatures(id, reader, rows, found);
  }
  return resolution_of(reader, found, unresolved);
}

bool Provenance::from_told(Reader& reader, const RowMatrix& rows, std::vector<Found>& found) {
  if (!options_.use_told || told_.origins.size() != rows.count()) return false;
  // Tokens are for one call: on another one of the same size they would be wrong without anybody seeing it.
  const auto digest_now = digest(rows.fingerprints);
  if (reader.told == tellings_ && reader.told_digest != digest_now) return false;
  reader.told = tellings_;
  reader.told_digest = digest_now;
  for (std::size_t row = 0; row < rows.count(); ++row) {
    const auto& origin = told_.origins[row];
    const bool unknown = origin.sequence == RowOrigin::kNoSequence && origin.counts != 0;
    if (!unknown) found[row] = {Found::What::origin, origin};
  }
  reader.report = {TokenSourceKind::told, "", "the program gave the tokens of each call"};
  return true;
}

bool Provenance::from_order(Reader& reader, const RowMatrix& rows, std::vector<Found>& found) {
  if (!options_.trusts_order()) return false;
  if (latest_.origins.size() != rows.count()) return true;  // and nothing else is asked
  for (std::size_t row = 0; row < rows.count(); ++row) found[row] = {Found::What::origin, latest_.origins[row]};
  reader.report = {TokenSourceKind::in_step, latest_.name, "tokens.source says so, and the number of rows fits"};
  return true;
}

bool Provenance::from_fingerprints(int id, Reader& reader, const RowMatrix& rows, std::vector<Found>& found) {
  if (!options_.use_exact) return false;
  // Asked anew for each batch: a trainer may switch from one language model's rows to another's.
  ActivationStream* best = nullptr;
  std::size_t best_hits = 0;
  const auto stride = std::max<std::size_t>(1, rows.count() / kProbedRows);
  for (auto& [key, stream] : streams_) {
    if (key.second != rows.width) continue;
    std::size_t hits = 0;
    for (std::size_t row = 0; row < rows.count(); row += stride)
      hits += stream->rows().contains(rows.fingerprints[row]);
    // Of equally good ones the one it was before.
    if (hits > best_hits || (hits == best_hits && hits > 0 && stream.get() == reader.stream)) {
      std::tie(best, best_hits) = std::pair(stream.get(), hits);
    }
  }
  if (best == nullptr) return false;

  auto& index = best->rows();
  // Rows that come as the model's latest call left them have the tokens of their own place, also where bits repeat.
  bool in_step = best->latest_count() == rows.count() && best->latest_is_whole();
  for (std::size_t row = 0; in_step && row < rows.count(); ++row) {
    in_step = index.fingerprint(index.slot_of_number(best->latest_first() + row)) == rows.fingerprints[row];
  }
  std::size_t hits = 0;
  for (std::size_t row = 0; row < rows.count(); ++row) {
    const auto slot =
        in_step ? index.slot_of_number(best->latest_first() + row) : index.take(id, rows.fingerprints[row]);
    if (slot == RowIndex::kNone) continue;
    found[row] = {Found::What::origin, index.origin(slot)};
    ++hits;
  }
  reader.exact += hits;
  // A few bit-equal rows prove nothing where all others were changed: zeros, for one.
  const bool most = hits * 4 >= rows.count();
  if (!most && reader.report.source != TokenSourceKind::none) return false;
  reader.stream = best;
  const auto share = static_cast<double>(hits) / static_cast<double>(rows.count());
  const auto source = in_step ? TokenSourceKind::in_step : TokenSourceKind::fingerprint;
  reader.report = {source, best->name(),
                   in_step ? "all rows of a call are its latest, bit for bit and in order"
                           : percent(share) + " of a call's rows were met bit for bit there"};
  if (reader.exact >= kEnoughExact) drop_signatures_that_nobody_needs(rows.width);
  return most;
}

// A reader that is new asks for them again.
void Provenance::drop_signatures_that_nobody_needs(std::size_t width) {
  for (const auto& [id, reader] : readers_) {
    const bool other = reader.stream != nullptr && reader.stream->width() != width;
    if (!other && (reader.matcher || reader.exact < kEnoughExact)) return;
  }
  for (auto& [key, stream] : streams_) {
    if (key.second == width) stream->keep_signatures(false);
  }
}

bool Provenance::from_checked_order(Reader& reader, const RowMatrix& rows, std::vector<Found>& found) {
  if (!options_.use_in_step) return false;
  for (auto& [key, stream] : streams_) {
    const auto order = check_order(*stream, rows, parallel_);
    if (!order) continue;
    // With the order shown, rows that are like many others (BOS) are known by it, too.
    const auto& index = stream->rows();
    for (std::size_t row = 0; row < rows.count(); ++row) {
      if (order->near[row] == 0) continue;
      found[row] = {Found::What::origin, index.origin(index.slot_of_number(stream->latest_first() + row))};
    }
    reader.report = {TokenSourceKind::in_step, stream->name(),
                     percent(order->share) + " of a call's rows lie near the row in the same place of its latest call"};
    return true;
  }
  return false;
}

bool Provenance::from_signatures(int id, Reader& reader, const RowMatrix& rows, std::vector<Found>& found) {
  if (!options_.use_robust || rows.values == nullptr) return false;
  const bool worse = reader.matcher && reader.recent_share < 0.8 * reader.usual_share;
  if ((!reader.matcher || worse) && reader.calls >= reader.next_attempt) learn(reader, rows);
  if (!reader.matcher) return false;
  auto& stream = *reader.stream;
  const auto* signatures = stream.signatures();
  if (signatures == nullptr) return false;

  std::vector<std::vector<std::uint32_t>> slots(rows.count());
  parallel_(rows.count(), [&](std::size_t first, std::size_t last) {
    for (auto row = first; row < last; ++row) slots[row] = reader.matcher->match(*signatures, rows.row(row));
  });
  std::size_t hits = 0;
  for (std::size_t row = 0; row < rows.count(); ++row) {
    if (found[row].what == Found::What::origin) continue;  // bit for bit
    found[row] = settle(id, stream, slots[row]);
    if (found[row].what != Found::What::origin) continue;
    ++hits;
    if (slots[row].size() == 1) reader.matcher->confirm(rows.row(row), signatures->at(slots[row].front()), parallel_);
  }
  const auto share = static_cast<double>(hits) / static_cast<double>(rows.count());
  reader.recent_share += (share - reader.recent_share) / 8;
  reader.usual_share = std::max(reader.usual_share, reader.recent_share);
  return true;
}

// All rows that could be it have to say the same token, or all that they do not count.
Provenance::Found Provenance::settle(int id, ActivationStream& stream, const std::vector<std::uint32_t>& slots) {
  if (slots.empty()) return {};
  auto& index = stream.rows();
  const auto first = index.origin(slots.front());
  bool same = true, counts = first.counts != 0;
  for (const auto slot : slots) {
    same = same && index.origin(slot) == first;
    counts = counts || index.origin(slot).counts != 0;
  }
  if (same && slots.size() == 1) {
    // Rows of the same bits are handed out in turn, as where they come unchanged.
    return {Found::What::origin, index.origin(index.take(id, index.fingerprint(slots.front())))};
  }
  if (same) return {Found::What::origin, first};
  if (!counts) return {Found::What::origin, RowOrigin{}};  // whichever it is: it is left out
  return {Found::What::ambiguous, {}};
}

void Provenance::learn(Reader& reader, const RowMatrix& rows) {
  const auto* values = rows.values;
  auto count = rows.count();
  if (count < RowMatcher::kFewestRows) {
    reader.waiting.insert(reader.waiting.end(), rows.values, rows.values + count * rows.width);
    count = reader.waiting.size() / rows.width;
    values = reader.waiting.data();
    if (count < RowMatcher::kFewestRows) return;
  }
  std::optional<RowMatcher> best;
  ActivationStream* best_stream = nullptr;
  for (auto& [key, stream] : streams_) {
    if (key.second != rows.width) continue;
    stream->settle_pairs(parallel_);
    if (stream->signatures() == nullptr) continue;
    auto matcher = RowMatcher::learn(*stream->pairs(), *stream->signatures(), values, count, parallel_);
    if (!matcher || (best && matcher->learnt_from() <= best->learnt_from())) continue;
    best = std::move(matcher);
    best_stream = stream.get();
  }
  reader.waiting = std::vector<float>();
  reader.patience = best ? kPatience : reader.patience * 2;
  reader.next_attempt = reader.calls + reader.patience;
  if (!best) return;
  reader.matcher = std::move(best);
  reader.stream = best_stream;
  reader.usual_share = reader.recent_share = 0;
  reader.report = {TokenSourceKind::robust, best_stream->name(),
                   "rows were changed on the way" +
                       std::string(reader.matcher->dimensions_scaled() ? ", each dimension by itself" : "") +
                       "; found by " + std::to_string(kSignatureBits) + " comparisons that survive it"};
}

std::size_t Provenance::bytes() const {
  auto bytes = sequences_.bytes() + (latest_.origins.capacity() + told_.origins.capacity()) * sizeof(RowOrigin);
  for (const auto& [key, stream] : streams_) bytes += stream->bytes();
  return bytes;
}

}  // namespace saetap

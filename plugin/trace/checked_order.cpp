#include "plugin/trace/checked_order.h"

#include <algorithm>

#include "plugin/trace/row_matcher.h"

namespace saetap {
namespace {

// Rows in step are nearer to their own place than to each of so many others, and not farther than so many bits.
constexpr std::size_t kOtherPlaces = 8;
constexpr int kFarthestInStep = kSignatureBits / 5;
constexpr double kShareInStep = 0.9;
constexpr std::size_t kFewestInStep = 64;

// How a row lies to the row in its place of the stream's latest call.
enum class Nearness : std::uint8_t { far, near, nearest };  // nearest: nearer than to others of that call

Nearness nearness_of(std::size_t row, const std::vector<std::uint32_t>& slots, const SignatureIndex& signatures,
                     const RowSignature& read) {
  if (slots[row] == RowIndex::kNone) return Nearness::far;
  const auto own = differing_bits(signatures.at(slots[row]), read);
  if (own > kFarthestInStep) return Nearness::far;
  for (std::size_t other = 1; other <= kOtherPlaces; ++other) {
    const auto slot = slots[(row + other * slots.size() / (kOtherPlaces + 1)) % slots.size()];
    if (slot == RowIndex::kNone || slot == slots[row]) continue;
    if (differing_bits(signatures.at(slot), read) <= own) return Nearness::near;
  }
  return Nearness::nearest;
}

// Where the signatures of a stream's latest rows are: under the first row with the same bits.
std::vector<std::uint32_t> latest_slots(const ActivationStream& stream) {
  std::vector<std::uint32_t> slots(stream.latest_count());
  const auto& index = stream.rows();
  for (std::size_t row = 0; row < slots.size(); ++row) {
    const auto slot = index.first_of(index.fingerprint(index.slot_of_number(stream.latest_first() + row)));
    slots[row] = stream.signatures()->holds(slot) ? slot : RowIndex::kNone;
  }
  return slots;
}

}  // namespace

std::optional<CheckedOrder> check_order(ActivationStream& stream, const RowMatrix& rows, const ParallelFor& parallel) {
  if (rows.count() < kFewestInStep || rows.values == nullptr) return {};
  if (stream.width() != rows.width || stream.latest_count() != rows.count() || !stream.latest_is_whole()) return {};
  stream.settle_pairs(parallel);
  const auto* signatures = stream.signatures();
  if (signatures == nullptr) return {};
  const auto slots = latest_slots(stream);
  const auto read = read_roughly(*stream.pairs(), *signatures, rows.values, rows.count());
  std::vector<Nearness> nearness(rows.count(), Nearness::far);
  parallel(rows.count(), [&](std::size_t first, std::size_t last) {
    for (auto row = first; row < last; ++row) nearness[row] = nearness_of(row, slots, *signatures, read[row]);
  });
  CheckedOrder order;
  const auto nearest = std::count(nearness.begin(), nearness.end(), Nearness::nearest);
  order.share = static_cast<double>(nearest) / static_cast<double>(rows.count());
  if (order.share < kShareInStep) return {};
  for (const auto one : nearness) order.near.push_back(one == Nearness::far ? 0 : 1);
  return order;
}

}  // namespace saetap

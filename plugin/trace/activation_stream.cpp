#include "plugin/trace/activation_stream.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace saetap {

ActivationStream::ActivationStream(std::string name, std::size_t width, std::size_t capacity, SequenceMemory& sequences)
    : name_(std::move(name)), width_(width), rows_(capacity, [this, &sequences](const RowIndex::Forgotten& row) {
        if (row.origin.sequence != RowOrigin::kNoSequence) sequences.drop_row(row.origin.sequence);
        if (signatures_.slots() <= row.slot) return;
        if (row.heir == RowIndex::kNone) {
          signatures_.forget(row.slot);
        } else {
          signatures_.reserve(rows_.slots());
          signatures_.replace(row.slot, row.heir);
        }
      }) {}

void ActivationStream::record(const RowMatrix& rows, std::span<const RowOrigin> origins, const ParallelFor& parallel) {
  latest_first_ = rows_.recorded();
  const bool sign = signing_ && !hopeless_ && rows.values != nullptr;
  std::vector<RowSignature> signatures;
  if (sign && pairs_) {
    signatures.resize(rows.count());
    parallel(rows.count(), [&](std::size_t first, std::size_t last) {
      for (auto row = first; row < last; ++row) signatures[row] = pairs_->sign(rows.row(row));
    });
  }
  std::vector<RowIndex::Recorded> recorded;
  recorded.reserve(rows.count());
  for (std::size_t row = 0; row < rows.count(); ++row) {
    recorded.push_back(rows_.record(rows.fingerprints[row], origins[row]));
    if (!signatures.empty() && recorded.back().first) index_signature(recorded.back().slot, signatures[row]);
  }
  if (!sign || pairs_) return;
  hold_back(rows, recorded);
  if (held_back_slots_.size() >= kPairSample) settle_pairs(parallel);
}

void ActivationStream::expect_signed_rows(std::size_t count, const std::optional<DimensionPairs>& pairs) {
  signed_elsewhere_ = true;
  pairs_ = pairs;
  hopeless_ = !pairs;
  rows_.reserve(count);
  if (pairs_) signatures_.reserve(rows_.slots());
}

void ActivationStream::record(const SignedRow& row, RowOrigin origin) {
  const auto recorded = rows_.record(row.fingerprint, origin);
  if (recorded.first && pairs_) index_signature(recorded.slot, row.signature);
}

void ActivationStream::index_signature(std::uint32_t slot, const RowSignature& signature) {
  signatures_.reserve(rows_.slots());
  signatures_.record(slot, signature);
}

void ActivationStream::hold_back(const RowMatrix& rows, std::span<const RowIndex::Recorded> recorded) {
  for (std::size_t row = 0; row < rows.count(); ++row) {
    if (!recorded[row].first) continue;  // the bits are here already
    // A model may return NaN for its padding, and one such row would leave no dimension with a mean.
    const auto* first = rows.row(row);
    if (!std::all_of(first, first + width_, [](float value) { return std::isfinite(value); })) continue;
    held_back_.insert(held_back_.end(), first, first + width_);
    held_back_slots_.push_back(recorded[row].slot);
  }
}

void ActivationStream::settle_pairs(const ParallelFor& parallel) {
  if (pairs_ || hopeless_ || held_back_slots_.empty()) return;
  pairs_ = DimensionPairs::choose(held_back_.data(), held_back_slots_.size(), width_);
  if (pairs_) {
    std::vector<RowSignature> signatures(held_back_slots_.size());
    parallel(signatures.size(), [&](std::size_t first, std::size_t last) {
      for (auto row = first; row < last; ++row) signatures[row] = pairs_->sign(held_back_.data() + row * width_);
    });
    for (std::size_t row = 0; row < signatures.size(); ++row) {
      // In a ring of a few rows the slot may be another row's by now.
      const auto slot = held_back_slots_[row];
      if (rows_.recorded() <= rows_.size()) index_signature(slot, signatures[row]);
    }
  } else if (held_back_slots_.size() >= kPairSample) {
    hopeless_ = true;
  } else {
    return;  // more rows may help
  }
  held_back_ = std::vector<float>();
  held_back_slots_ = std::vector<std::uint32_t>();
}

void ActivationStream::keep_signatures(bool keep) {
  if (signing_ == keep || signed_elsewhere_) return;
  signing_ = keep;
  if (keep) return;
  signatures_ = {};
  held_back_ = std::vector<float>();
  held_back_slots_ = std::vector<std::uint32_t>();
}

std::size_t ActivationStream::bytes() const {
  return rows_.bytes() + signatures_.bytes() + held_back_.capacity() * sizeof(float);
}

}  // namespace saetap

// One stream of activations with a known token behind each row: an output of a language model, or a file of them. Its
// newest rows are remembered by their fingerprints.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plugin/trace/row_index.h"
#include "plugin/trace/row_matrix.h"
#include "plugin/trace/sequence_memory.h"
#include "plugin/trace/signature_index.h"

namespace saetap {

// 36 bytes a row for the exact fingerprint and the origin, 48 more while robust ones are kept. Not thread-safe.
class ActivationStream {
 public:
  // Origins point into `sequences`, which must outlive it.
  ActivationStream(std::string name, std::size_t width, std::size_t capacity, SequenceMemory& sequences);

  // Remembers rows and their origins, [rows.count()]. Each origin is counted in the sequence memory already.
  void record(const RowMatrix& rows, std::span<const RowOrigin> origins, const ParallelFor& parallel);
  // For rows that were signed elsewhere: makes room for so many, and keeps their signatures whatever becomes of the
  // readers, since they come only once. `pairs`: what they were signed with; nothing: they have no signature that
  // counts. Comes before any row.
  void expect_signed_rows(std::size_t count, const std::optional<DimensionPairs>& pairs);
  void record(const SignedRow& row, RowOrigin origin);

  // Robust fingerprints of the rows recorded from now on, or none: what there is of them is forgotten.
  void keep_signatures(bool keep);
  // Null where there are none (yet).
  [[nodiscard]] const SignatureIndex* signatures() const { return pairs_ && signing_ ? &signatures_ : nullptr; }
  [[nodiscard]] const DimensionPairs* pairs() const { return pairs_ ? &*pairs_ : nullptr; }
  // Decides on pairs with the rows that came so far, if that is possible at all.
  void settle_pairs(const ParallelFor& parallel);

  [[nodiscard]] RowIndex& rows() { return rows_; }
  [[nodiscard]] const RowIndex& rows() const { return rows_; }
  // The rows of the latest record(), by number; they are in the ring if there are no more of them than it holds.
  [[nodiscard]] std::uint64_t latest_first() const { return latest_first_; }
  [[nodiscard]] std::size_t latest_count() const { return static_cast<std::size_t>(rows_.recorded() - latest_first_); }
  [[nodiscard]] bool latest_is_whole() const { return latest_count() <= rows_.size(); }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::size_t width() const { return width_; }
  [[nodiscard]] std::size_t bytes() const;

 private:
  void hold_back(const RowMatrix& rows, std::span<const RowIndex::Recorded> recorded);
  void index_signature(std::uint32_t slot, const RowSignature& signature);

  std::string name_;
  std::size_t width_;
  RowIndex rows_;
  std::uint64_t latest_first_ = 0;

  bool signing_ = true;
  bool signed_elsewhere_ = false;
  bool hopeless_ = false;  // no pairs can be had from such rows
  std::optional<DimensionPairs> pairs_;
  SignatureIndex signatures_;
  // Until pairs are chosen: the values of the rows that came, and where they are.
  std::vector<float> held_back_;
  std::vector<std::uint32_t> held_back_slots_;
};

}  // namespace saetap

// How a reader's rows differ from a stream's, learnt from rows that can only be one another's, and then which row of
// the stream each of the reader's is.
//
// A bit of the stream's signatures says whether x[i] > x[j]. A reader that was given f(x) sees y[i] and y[j], weighs
// them where its dimensions were scaled one by one, and compares their difference with a threshold of its own: centring
// moved it. What rounding and the like leave uncertain is a zone around the threshold, in which a bit is undecided. A
// row of the stream is *compatible* with one of the reader's if it agrees in the decided bits. One compatible row: that
// is the one. Several: nobody can tell. None: it is not there, or something else was done to it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "plugin/trace/bit_thresholds.h"
#include "plugin/trace/row_matrix.h"
#include "plugin/trace/row_signature.h"
#include "plugin/trace/signature_index.h"

namespace saetap {

// Not thread-safe, but for match().
class RowMatcher {
 public:
  // So many rows of a reader are needed to learn from, and no more are used at once.
  static constexpr std::size_t kFewestRows = 128;
  static constexpr std::size_t kMostRows = 512;

  // Learns from `rows` [count, width] of the reader: each is compared with every row of the stream, at one to two ns a
  // comparison. Nothing if too few of them have a row of the stream that is much nearer than all others, or if what
  // lies between the two is more than rounding does (dropout, mixtures of rows).
  static std::optional<RowMatcher> learn(const DimensionPairs& pairs, const SignatureIndex& index, const float* rows,
                                         std::size_t count, const ParallelFor& parallel);
  // How many rows it was learnt from.
  [[nodiscard]] std::size_t learnt_from() const { return learnt_from_; }

  // The slots of the rows that are compatible with a row, at most kMostCompatible of them. Empty, too, if too few bits
  // are decided.
  static constexpr std::size_t kMostCompatible = 16;
  [[nodiscard]] std::vector<std::uint32_t> match(const SignatureIndex& index, const float* row) const;

  // Adds a matched pair to what is learnt from, which makes the thresholds better: they are fitted anew
  // now and then, up to 4096 pairs.
  void confirm(const float* row, const RowSignature& signature, const ParallelFor& parallel);

  // Half the width of the zone in which bits are undecided, as a share of a row's mean contrast: a measure of the
  // noise.
  [[nodiscard]] double noise() const { return thresholds_.noise; }
  [[nodiscard]] bool dimensions_scaled() const { return weighed_; }

 private:
  RowMatcher(const DimensionPairs& pairs, bool weighed) : pairs_(pairs), weighed_(weighed) {}
  bool fit(const ParallelFor& parallel);
  [[nodiscard]] std::vector<std::uint32_t> compatible(const SignatureIndex& index, const ReadBits& read) const;

  DimensionPairs pairs_;
  bool weighed_ = false;  // each dimension has a scale of its own
  std::vector<MatchedRow> matched_;
  bool settled_ = false;  // nothing more is learnt
  bool moved_ = false;    // some threshold is not 0
  std::size_t learnt_from_ = 0;
  BitThresholds thresholds_;
};

// The bits of `rows` [count, width] with the thresholds at which each is set as often as in the stream: right for all
// but a few bits, whatever was done to the rows, where they are many and of all kinds.
[[nodiscard]] std::vector<RowSignature> read_roughly(const DimensionPairs& pairs, const SignatureIndex& index,
                                                     const float* rows, std::size_t count);

}  // namespace saetap

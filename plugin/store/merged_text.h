// The text behind the samples of a merged store.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "plugin/collect/sequence_pool.h"
#include "plugin/store/merge_input.h"
#include "plugin/store/sqlite.h"

namespace saetap {

// Which segments the samples need is gathered while they are written, and sorted by SQLite, on disk where they are
// many; then all inputs are read side by side in the same order. Throws StoreError.
class MergedText {
 public:
  // `context`: tokens to each side of a sample that are kept.
  MergedText(Database& merged, std::uint32_t context);

  // `kept`: as in the table of sequences; 0 for the open part's.
  void need(std::span<const Sample> samples, std::int64_t kept);
  // `tick`: called for each segment.
  void write(const MergeInputs& inputs, const std::function<void()>& tick);

 private:
  void note_down();

  Database& merged_;
  std::uint32_t context_;
  std::int64_t kept_ = 0;           // of those in the list
  std::vector<SegmentKey> needed_;  // not noted down yet
  Statement note_;
};

}  // namespace saetap

// Several stores as one: of the ranks of a run, or of runs beside each other.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "plugin/store/store_error.h"

namespace saetap {

// The caller did not want to go on.
class MergeStopped : public StoreError {
  using StoreError::StoreError;
};

// Told now and then how much of the work is done, of 1; false ends it.
using MergeGoesOn = std::function<bool(double done)>;

enum class MergeOf : std::uint8_t {
  one_training,  // stores that are not of one training are refused
  whatever,      // the caller knows better
};

// Writes `output` from `inputs` (two or more .saetap files, or folders that hold samples.saetap), whole or not at all;
// what is there already is replaced. The same as one collector would have kept that was given what was collected of all
// of them, in whatever order they are named or merged step by step; only sums, which are added up in the order of the
// ranks, may differ in the last bits. Of stores bounded in memory the smallest number of samples per feature holds.
// Memory does not grow with their size. Throws StoreError with a reason (one of them was saved meanwhile, for one), or
// MergeStopped.
void merge_stores(const std::vector<std::string>& inputs, const std::string& output, const MergeGoesOn& goes_on = {},
                  MergeOf of = MergeOf::one_training);

}  // namespace saetap

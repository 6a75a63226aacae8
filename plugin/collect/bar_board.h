// What the callbacks want of a site's next batches, told by the collector's thread to those that scan.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "plugin/collect/callback.h"

namespace saetap {

// A copy of the bars, because the collector's own move while a batch is scanned. An old copy is as right as a new one:
// within a window bars only become stricter, and what comes in vain is passed over. Thread-safe.
class BarBoard {
 public:
  struct Bars {
    std::vector<float> activation;    // [features]; empty: none wanted
    std::vector<std::uint32_t> hash;  // [features]; empty: none wanted
  };

  // The first ones are what is wanted of steps that later ones do not speak for.
  void publish(const CandidateBars& bars, std::uint32_t context_size);
  // Copies the bars for a batch of this step. Returns how many tokens to each side of a candidate are wanted.
  std::uint32_t read(std::uint64_t step, Bars& bars) const;

 private:
  mutable std::mutex mutex_;
  bool published_ = false;
  Bars at_attach_;
  Bars latest_;
  std::uint64_t end_step_ = 0;
  std::uint32_t context_size_ = 0;
};

}  // namespace saetap

// How old a feature's samples are: those of early steps may be of what it no longer does.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "plugin/store/stored_windows.h"

namespace saetap {

// Some of the samples: those of one part of the run.
struct AgedSamples {
  PartKind part = PartKind::open;  // the window going on when it was saved, the one before, or all before that
  std::uint64_t first_step = 0;
  std::uint64_t last_step = 0;
  double newest = 0;  // the share of all tokens collected that this part and what came after it have
  std::size_t samples = 0;
};

struct SampleAge {
  std::uint64_t first_step = 0;   // of any sample
  std::uint64_t median_step = 0;  // half of them are of this step or a later one
  std::uint64_t last_step = 0;
  std::vector<AgedSamples> parts;  // newest first
};

// `windows`: of the site, as StoredWindows::of gives them. Parts without a sample are told, too, if `samples` could be
// of them: `all_time`, or not of the past. Nothing without samples.
[[nodiscard]] std::optional<SampleAge> age_of(std::span<const Sample> samples, std::span<const StoredWindow> windows,
                                              bool all_time);

}  // namespace saetap

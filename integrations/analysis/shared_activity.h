// How often two features are active at the same places, whatever their strengths.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "integrations/analysis/confidence.h"
#include "plugin/collect/sample.h"

namespace saetap {

// A feature's random sample.
struct RandomPlaces {
  std::span<const Sample> samples;
  bool all = false;  // it has every place where the feature was active
};

// Places (a token of a text) where either of two features is active, drawn at random, and which of them it is.
// Random samples keep the active places with the smallest hashes, and the hash of a place is the same for every
// feature: so the places of both samples up to the lower of their largest hashes are a random sample of all where
// either is active, and of each it is known which of the two are. Strengths do not matter.
struct SharedActivity {
  std::size_t either = 0;  // places drawn
  std::size_t first = 0;   // of these, where the first one is active
  std::size_t second = 0;
  std::size_t both = 0;
  std::optional<Interval> share;  // that both / either stands for; nothing if none was drawn
};

[[nodiscard]] SharedActivity shared_activity(const RandomPlaces& first, const RandomPlaces& second);

}  // namespace saetap

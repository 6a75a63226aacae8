// A kept sample and the total order of samples.
#pragma once

#include <cmath>
#include <cstdint>
#include <tuple>

#include "plugin/trace/token_position.h"

namespace saetap {

inline constexpr std::uint32_t kContextNotKnown = 0xFFFFFFFFu;

struct Sample {
  SequenceId sequence = 0;
  float activation = 0;
  std::uint32_t position = 0;
  std::uint32_t step = 0;
  // Where the activations around it are kept: see ContextPool. No part of what a sample is.
  std::uint32_t context = kContextNotKnown;

  friend bool operator==(const Sample& a, const Sample& b) {
    return a.sequence == b.sequence && a.activation == b.activation && a.position == b.position && a.step == b.step;
  }
};

// True if `a` is to be kept rather than `b`: larger activation (of a signed feature: magnitude), then lower sequence
// id, then lower position. Step does not take part, so the kept set depends neither on the order of arrival nor on the
// order of ranks or merges.
[[nodiscard]] inline bool stronger(const Sample& a, const Sample& b) {
  return std::tuple(-std::abs(a.activation), a.sequence, a.position) <
         std::tuple(-std::abs(b.activation), b.sequence, b.position);
}

// Of two samples of one place: the larger activation, then the later step.
[[nodiscard]] inline bool better_at_same_place(const Sample& a, const Sample& b) {
  return std::tuple(std::abs(a.activation), a.step, a.activation) >
         std::tuple(std::abs(b.activation), b.step, b.activation);
}

// Of two samples of one place in a random sample: the later step, then the larger activation.
[[nodiscard]] inline bool later_at_same_place(const Sample& a, const Sample& b) {
  return std::tuple(a.step, std::abs(a.activation), a.activation) >
         std::tuple(b.step, std::abs(b.activation), b.activation);
}

[[nodiscard]] inline bool same_place(const Sample& a, const Sample& b) {
  return a.sequence == b.sequence && a.position == b.position;
}

}  // namespace saetap

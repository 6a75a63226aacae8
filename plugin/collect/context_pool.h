// The activations around the kept samples.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plugin/collect/sample.h"
#include "plugin/collect/slab.h"
#include "plugin/scan/context_scan.h"

namespace saetap {

// Lists of them, 8 bytes each and rounded up to a power of two of them: most features fire once or not at all
// near a strong sample, and a list of none takes no memory. Not thread-safe.
class ContextPool {
 public:
  // The list's handle, valid until release(). Throws std::length_error beyond 2^27 lists of one size.
  [[nodiscard]] std::uint32_t add(std::span<const ContextActivation> activations);
  // Whether anything is known (of none, for one).
  [[nodiscard]] static bool known(std::uint32_t handle) { return handle != kContextNotKnown; }
  // Empty where nothing is known. Valid until the list is released.
  [[nodiscard]] std::span<const ContextActivation> at(std::uint32_t handle) const;
  // A list of its own with the same activations.
  [[nodiscard]] std::uint32_t copy(std::uint32_t handle);
  void release(std::uint32_t handle);
  // Whether more is known with `a` than with `b`, of two samples that are equal otherwise: known, then of more
  // activations, then any order that depends on them alone. So which one is kept depends on no order of arrival.
  [[nodiscard]] bool fuller(std::uint32_t a, std::uint32_t b) const;

  // How many lists take memory, and how much.
  [[nodiscard]] std::size_t lists() const;
  [[nodiscard]] std::size_t bytes() const;

 private:
  // By n: lists of up to 2^n activations; what is unused at the end of one has offset 0, which is none of them.
  std::vector<Slab<ContextActivation>> sizes_;
};

}  // namespace saetap

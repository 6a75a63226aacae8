// A 64-bit hash of the bits of a row of activations: the exact row's fingerprint.
#pragma once

#include <cstddef>
#include <cstdint>

namespace saetap {

// `bytes`: the row's memory, in any floating-point format. Equal bits give equal hashes; of a million rows the chance
// that any two different ones collide is below 1e-7. Never 0.
// Index files hold such hashes: a change of it is a new kRowFileVersion.
[[nodiscard]] std::uint64_t row_hash(const void* row, std::size_t bytes);

}  // namespace saetap

// How far apart two words are, to guess what a misspelt key was meant to be.
#pragma once

#include <cstddef>
#include <string_view>

namespace saetap {

// The least number of insertions, deletions and substitutions of bytes that turn one into the other (Levenshtein).
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace saetap

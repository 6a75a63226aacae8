// What somebody may have meant who mistyped a word.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace saetap::cli {

// "; did you mean features?" for a word that is a few keys away from one of `known` or begins it; else "".
[[nodiscard]] std::string did_you_mean(std::string_view word, std::span<const std::string> known);

}  // namespace saetap::cli

// LibTorch's errors as people read them.
#pragma once

#include <exception>
#include <string>

namespace saetap {

// What is useful of LibTorch's words, which run over many lines and often begin with an empty one.
[[nodiscard]] std::string first_line(const std::exception& error);

}  // namespace saetap

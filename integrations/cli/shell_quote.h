// A command line that a shell would read back as the same words.
#pragma once

#include <span>
#include <string>

namespace saetap::cli {

// {"echo", "two words"} -> "echo 'two words'". Words that need no quotes get none.
[[nodiscard]] std::string shell_quoted(std::span<const std::string> words);

}  // namespace saetap::cli

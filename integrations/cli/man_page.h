// The manual page, from what the commands say of themselves.
#pragma once

#include <span>
#include <string>

#include "integrations/cli/command_tree.h"

namespace saetap::cli {

// In man(7)'s macros. `about`: the program in a sentence.
[[nodiscard]] std::string man_page(const std::string& about, std::span<const Command> commands);

}  // namespace saetap::cli

// Scripts that let a shell complete the program's commands, options and their values.
#pragma once

#include <span>
#include <string>

#include "integrations/cli/command_tree.h"

namespace saetap::cli {

// To be sourced, or put into share/bash-completion/completions. Needs nothing but bash.
[[nodiscard]] std::string bash_completion(std::span<const Command> commands);
// To be put as _saetap into a folder of $fpath, or sourced after compinit.
[[nodiscard]] std::string zsh_completion(std::span<const Command> commands);

}  // namespace saetap::cli

// How features are chosen and ordered on the command line.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "plugin/config.h"

namespace saetap::cli {

// --sort max|mean|density|count
void add_sort_option(CLI::App& command, std::string& sort);
// `sort` as checked by the option above.
[[nodiscard]] RankBy rank_by(const std::string& sort);

// "0.01" or "1%" -> 0.01. Throws Failure for anything that is not a share from 0 to 1; `option` names it.
[[nodiscard]] double share_from(const std::string& text, const std::string& option);

}  // namespace saetap::cli

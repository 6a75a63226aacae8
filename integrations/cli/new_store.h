// Where a command may put a store that it makes.
#pragma once

#include <string>

namespace saetap::cli {

// The file: a folder stands for samples.saetap in it, as it does wherever a store is read. Throws Failure: it is there
// already, unless `force`; or its folder is not.
[[nodiscard]] std::string new_store_path(const std::string& output, bool force);

}  // namespace saetap::cli

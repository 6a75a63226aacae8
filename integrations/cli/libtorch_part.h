// The commands that need LibTorch, which the others start without, are programs of their own beside this one.
#pragma once

#include <string>
#include <vector>

namespace saetap::cli {

// This process becomes the program `name`, which is beside this executable. Throws Failure if it cannot.
[[noreturn]] void become(const std::string& name, const std::vector<std::string>& arguments);

}  // namespace saetap::cli

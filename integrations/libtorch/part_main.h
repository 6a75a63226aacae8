// What the programs that `saetap` becomes where it needs LibTorch have in common: silence, and one line where they
// fail.
#pragma once

#include <functional>
#include <string>

namespace saetap {

// Runs `work`, which returns the exit status, without LibTorch's warnings. Whatever it throws becomes one line on
// stderr, "saetap: COMMAND: ABOUT: reason", and the status that cli::Failure says, or bad_input. `about`: what the work
// is about, as it is then; empty: nothing.
[[nodiscard]] int run_part(const char* command, const std::string& about, const std::function<int()>& work);

}  // namespace saetap

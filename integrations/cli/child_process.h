// Other programs that this one starts and waits for.
#pragma once

#include <sys/types.h>

#include <array>
#include <csignal>
#include <string>
#include <vector>

namespace saetap::cli {

// Starts the program that `words` begin with, as a shell would find it; no shell has a part in it. `streams`: the
// descriptors of its stdin, stdout and stderr; below 0: this program's. `mask`: which signals it holds back; null: as
// this program. Throws std::system_error if it cannot be started.
[[nodiscard]] pid_t start_child(std::vector<std::string> words, const std::array<int, 3>& streams,
                                const sigset_t* mask = nullptr);

// Waits for it. Returns its exit status; of a child that a signal ended, 128 and its number. Throws std::system_error
// if that is not known.
[[nodiscard]] int wait_for_child(pid_t child);

// The same of what waitpid says.
[[nodiscard]] int exit_status(int waited);

}  // namespace saetap::cli

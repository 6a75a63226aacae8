// The `saetap` program: its commands, and what every one of them does with an error.
#pragma once

namespace saetap::cli {

// Runs one command and returns the exit status: 0; 1, what was asked for is not there; 2, wrong usage or bad input. An
// error is one line on stderr that begins with "saetap: ". `record` does not return: the process becomes the command.
[[nodiscard]] int run_program(int argc, char** argv);

}  // namespace saetap::cli

// One line to stderr per thing worth saying, "saetap: …". Never throws, never waits for the host's streams: a line that
// nobody reads is dropped, and the next one says so.
#pragma once

#include <string>

#include "plugin/config.h"

namespace saetap {

// Lines above this level are not printed. Thread-safe.
void set_log_level(LogLevel level);

// Writes one whole line with a single write(2). Newlines inside are made spaces, and LibTorch's stack traces cut off.
// Thread-safe.
void log(LogLevel level, const std::string& line) noexcept;

}  // namespace saetap

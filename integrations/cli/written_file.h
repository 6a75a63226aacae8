// A file that is there whole or not at all.
#pragma once

#include <functional>
#include <ostream>
#include <string>

namespace saetap::cli {

// Lets `write` fill a temporary file beside `path`, then renames it to `path`. Throws Failure if it cannot be written;
// `path` is then as it was. A link is followed, and what is no regular file (a pipe, a device) is written to as it is:
// a rename would put a file in its place.
void write_atomically(const std::string& path, const std::function<void(std::ostream&)>& write);

}  // namespace saetap::cli

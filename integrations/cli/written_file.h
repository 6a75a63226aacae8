// A file that is there whole or not at all.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>

namespace saetap::cli {

// The application id of an SQLite database (a store's is kApplicationId), 0 for one without. Nothing: it is none.
[[nodiscard]] std::optional<std::int64_t> database_application(const std::string& path);
// Throws Failure if there is a database, which may be a run's store, even the one that is read: nothing else goes in
// its place.
void check_no_database(const std::string& path);

// Lets `write` fill a temporary file beside `path`, then renames it to `path`. Throws Failure if it cannot be written,
// or check_no_database does; `path` is then as it was. A link is followed, and what is no regular file (a pipe, a
// device) is written to as it is: a rename would put a file in its place. A new file is its owner's alone (0600), for
// stores hold text and so does what is made of them; one that was there keeps its mode.
void write_atomically(const std::string& path, const std::function<void(std::ostream&)>& write);

}  // namespace saetap::cli

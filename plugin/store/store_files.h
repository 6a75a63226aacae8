// The store as a file: making it, recognising it, moving another run's out of the way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "plugin/store/sqlite.h"

namespace saetap {

// Which checkpoint of which run a file holds.
struct StoreStamp {
  std::string run_id;
  std::uint64_t checkpoint = 0;
  std::string saved;  // UTC, ISO 8601
};

// The stamp of the file; nothing if there is none or it is no store (nor any file). Brings a store whose writer was
// killed back to its last checkpoint. Throws StoreError: it cannot be told now.
[[nodiscard]] std::optional<StoreStamp> read_stamp(const std::string& path);

// Renames `path`, if it is there and no empty file, and the .json beside it to a name that tells when it was saved.
// Returns the new name; "" if there was nothing to rename. Throws StoreError.
std::string move_aside(const std::string& path, const std::optional<StoreStamp>& stamp);

// Where move_aside() moved the store of this run that was at `path` and has this checkpoint, or a later one; nothing if
// it did not.
[[nodiscard]] std::optional<std::string> find_aside(const std::string& path, const std::string& run_id,
                                                    std::uint64_t checkpoint);

// Gives a whole file its name, in place of what has it. Throws StoreError.
void take_name(const std::string& temporary, const std::string& path);

// Makes the folder, and in it an empty file that only its owner can read: it will hold text trained on. Throws
// StoreError.
void create_empty(const std::string& path);

// The settings of a connection that writes; `fresh`: the file is empty.
void prepare_for_writing(Database& database, bool fresh);

// All tables of an empty store, and what names the file as one.
void create_tables(Database& database);

// Now, as "2026-11-22T19:01:49Z".
[[nodiscard]] std::string utc_now();

}  // namespace saetap

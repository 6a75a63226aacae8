// Opening a store's file to read it.
#pragma once

#include <string>

#include "plugin/store/sqlite.h"

namespace saetap {

// A .saetap file, or samples.saetap in a folder.
[[nodiscard]] std::string store_path(const std::string& path);

// Read-only. A store whose program was killed while saving is first brought back to its last checkpoint, for which its
// folder must be writable. Throws StoreError: no file, no store, another format version, or cut off.
[[nodiscard]] Database open_to_read(const std::string& path);

}  // namespace saetap

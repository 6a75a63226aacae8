// Files that hold something of the text trained on: only their owner can read them, whatever the umask.
#pragma once

#include <filesystem>

namespace saetap {

// Makes those folders of the path that are missing. Throws std::filesystem::filesystem_error.
void make_private_folder(const std::filesystem::path& folder);

// Opens a file to write, and makes it if it is not there; `flags` besides O_CREAT | O_WRONLY. A pipe that somebody put
// in its place is not waited for. The descriptor, or -1 and errno.
[[nodiscard]] int open_private(const std::filesystem::path& path, int flags) noexcept;

}  // namespace saetap

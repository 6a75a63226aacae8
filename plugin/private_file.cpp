#include "plugin/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>

namespace saetap {

void make_private_folder(const std::filesystem::path& folder) {
  if (folder.empty() || std::filesystem::is_directory(folder)) return;
  make_private_folder(folder.parent_path());
  const bool made = ::mkdir(folder.c_str(), 0700) == 0 && ::chmod(folder.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) {
    throw std::filesystem::filesystem_error("", folder, std::error_code(errno, std::generic_category()));
  }
}

int open_private(const std::filesystem::path& path, int flags) noexcept {
  const int descriptor = ::open(path.c_str(), O_CREAT | O_WRONLY | O_NONBLOCK | O_CLOEXEC | flags, 0600);
  struct stat file {};
  // Not a device that people name.
  if (descriptor >= 0 && ::fstat(descriptor, &file) == 0 && S_ISREG(file.st_mode)) (void)::fchmod(descriptor, 0600);
  return descriptor;
}

}  // namespace saetap

#include "integrations/cli/written_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "integrations/cli/failure.h"

namespace saetap::cli {
namespace {

// Removes the temporary file unless it became the real one.
struct TemporaryFile {
  std::string path;
  ~TemporaryFile() { std::remove(path.c_str()); }
};

// An empty file that its owner alone may read, whatever the umask says and whatever a killed process left there.
// False: see errno.
bool make_private(const std::string& path) {
  std::remove(path.c_str());
  const int file = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const bool made = ::fchmod(file, 0600) == 0;
  ::close(file);
  return made;
}

}  // namespace

std::optional<std::int64_t> database_application(const std::string& path) {
  constexpr std::string_view kMagic("SQLite format 3\0", 16);
  constexpr std::size_t kApplicationIdAt = 68;  // of the header, four bytes, the highest first
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(path, unknown)) return std::nullopt;  // opening a pipe would wait
  std::array<char, kApplicationIdAt + 4> head{};
  std::ifstream(path, std::ios::binary).read(head.data(), head.size());
  if (std::string_view(head.data(), kMagic.size()) != kMagic) return std::nullopt;
  std::int64_t id = 0;
  for (std::size_t i = kApplicationIdAt; i < head.size(); ++i) id = id << 8 | static_cast<std::uint8_t>(head[i]);
  return id;
}

void check_no_database(const std::string& path) {
  if (!database_application(path)) return;
  throw Failure(Status::bad_input,
                path + " cannot be written: it is a store, or another database: give the new file another name");
}

void write_atomically(const std::string& path, const std::function<void(std::ostream&)>& write) {
  const auto fail = [&](const std::string& reason) -> Failure {
    return Failure(Status::bad_input, path + " cannot be written: " + reason);
  };
  const auto fill = [&](const std::string& target) {
    std::ofstream file(target, std::ios::binary);
    if (!file) throw fail(std::strerror(errno));
    write(file);
    file.close();
    if (!file) throw fail(std::strerror(errno));
  };
  std::error_code unknown;
  const auto status = std::filesystem::status(path, unknown);
  if (std::filesystem::is_directory(status)) throw fail("it is a folder");
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) return fill(path);

  const bool replaces = std::filesystem::exists(status);
  check_no_database(path);
  const auto target = replaces ? std::filesystem::canonical(path).string() : path;
  const TemporaryFile temporary{target + ".part" + std::to_string(getpid())};
  if (!make_private(temporary.path)) throw fail(std::strerror(errno));
  fill(temporary.path);
  // Who let others read the file before has said so; only now, when it is whole.
  constexpr auto kAccess = std::filesystem::perms::all;
  if (replaces && ::chmod(temporary.path.c_str(), static_cast<mode_t>(status.permissions() & kAccess)) != 0) {
    throw fail(std::strerror(errno));
  }
  if (std::rename(temporary.path.c_str(), target.c_str()) != 0) throw fail(std::strerror(errno));
}

}  // namespace saetap::cli

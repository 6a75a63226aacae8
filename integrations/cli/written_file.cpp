#include "integrations/cli/written_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "integrations/cli/failure.h"

namespace saetap::cli {
namespace {

// Removes the temporary file unless it became the real one.
struct TemporaryFile {
  std::string path;
  ~TemporaryFile() { std::remove(path.c_str()); }
};

}  // namespace

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

  const auto target = std::filesystem::exists(status) ? std::filesystem::canonical(path).string() : path;
  const TemporaryFile temporary{target + ".part" + std::to_string(getpid())};
  fill(temporary.path);
  if (std::rename(temporary.path.c_str(), target.c_str()) != 0) throw fail(std::strerror(errno));
}

}  // namespace saetap::cli

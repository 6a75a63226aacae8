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
  if (std::filesystem::is_directory(path)) throw fail("it is a folder");
  const TemporaryFile temporary{path + ".part" + std::to_string(getpid())};
  std::ofstream file(temporary.path, std::ios::binary);
  if (!file) throw fail(std::strerror(errno));
  write(file);
  file.close();
  if (!file) throw fail(std::strerror(errno));
  if (std::rename(temporary.path.c_str(), path.c_str()) != 0) throw fail(std::strerror(errno));
}

}  // namespace saetap::cli

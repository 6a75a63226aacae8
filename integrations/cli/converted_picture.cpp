#include "integrations/cli/converted_picture.h"

#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "integrations/cli/failure.h"

extern char** environ;

namespace saetap::cli {
namespace {

constexpr const char* kConverter = "rsvg-convert";

Failure cannot(const std::string& reason) {
  return {Status::bad_input, std::string(kConverter) + " cannot make the picture: " + reason};
}

// A file in memory. Through such the child reads and writes: however much it is, nobody waits for anybody, and a child
// that ends early breaks no pipe.
class MemoryFile {
 public:
  MemoryFile() : file_(::memfd_create("saetap-picture", MFD_CLOEXEC)) {
    if (file_ < 0) throw cannot(std::strerror(errno));
  }
  ~MemoryFile() { ::close(file_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  [[nodiscard]] int descriptor() const { return file_; }

  void write(std::string_view bytes) {
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t written = ::pwrite(file_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) throw cannot(std::strerror(errno));
      done += static_cast<std::size_t>(written);
    }
  }

  [[nodiscard]] std::string read() const {
    std::string bytes;
    std::array<char, 1 << 16> chunk{};
    while (true) {
      const ssize_t got = ::pread(file_, chunk.data(), chunk.size(), static_cast<off_t>(bytes.size()));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw cannot(std::strerror(errno));
      if (got == 0) return bytes;
      bytes.append(chunk.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  int file_;
};

// Its streams are these files; no shell has a part in it.
pid_t start(std::vector<std::string> words, const MemoryFile& in, const MemoryFile& out, const MemoryFile& error) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.descriptor(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.descriptor(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, error.descriptor(), STDERR_FILENO);
  pid_t child = -1;
  const int failed = ::posix_spawnp(&child, kConverter, &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed == ENOENT) {
    throw Failure(Status::bad_input, std::string(kConverter) +
                                         ", which makes png and pdf, is not there (Debian's librsvg2-bin has it); "
                                         "--format svg does without");
  }
  if (failed != 0) throw cannot(std::strerror(failed));
  return child;
}

// The exit status; of a child that a signal ended, 128 and its number.
int status_of(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw cannot(std::strerror(errno));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

std::string converted(const std::string& svg, PictureFormat format) {
  if (format == PictureFormat::svg) return svg;
  MemoryFile in, out, error;
  in.write(svg);
  std::vector<std::string> words{kConverter, "--format", format == PictureFormat::png ? "png" : "pdf"};
  // Of the PDF, which has no dots, it says how long a millimetre is.
  const std::string dots = format == PictureFormat::png ? "300" : "72";
  words.insert(words.end(), {"--dpi-x", dots, "--dpi-y", dots});
  const int status = status_of(start(std::move(words), in, out, error));
  std::string picture = out.read();
  if (status != 0 || picture.empty()) {
    const std::string said = error.read();
    throw cannot(said.empty() ? "it ended with status " + std::to_string(status) : said.substr(0, said.find('\n')));
  }
  return picture;
}

}  // namespace saetap::cli

#include "integrations/cli/converted_picture.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <vector>

#include "integrations/cli/child_process.h"
#include "integrations/cli/failure.h"

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

// Its exit status.
int run(std::vector<std::string> words, const MemoryFile& in, const MemoryFile& out, const MemoryFile& error) {
  try {
    return wait_for_child(start_child(std::move(words), {in.descriptor(), out.descriptor(), error.descriptor()}));
  } catch (const std::system_error& failed) {
    if (failed.code() != std::errc::no_such_file_or_directory) throw cannot(failed.code().message());
    throw Failure(Status::bad_input, std::string(kConverter) +
                                         ", which makes png and pdf, is not there (Debian's librsvg2-bin has it); "
                                         "--format svg does without");
  }
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
  const int status = run(std::move(words), in, out, error);
  std::string picture = out.read();
  if (status != 0 || picture.empty()) {
    const std::string said = error.read();
    throw cannot(said.empty() ? "it ended with status " + std::to_string(status) : said.substr(0, said.find('\n')));
  }
  return picture;
}

}  // namespace saetap::cli

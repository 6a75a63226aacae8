#include "plugin/log.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>

namespace saetap {

namespace {
std::atomic<LogLevel> log_level{LogLevel::info};
}

void set_log_level(LogLevel level) {
  log_level.store(level, std::memory_order_relaxed);
}

namespace {

std::atomic<std::uint64_t> unwritten{0};

// The reader of stderr may be gone. The program that never wrote to it must not die of our line.
bool write_without_sigpipe(const std::string& text) {
  sigset_t pipe, before, pending;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  sigpending(&pending);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  // Nobody may read the pipe, or the terminal be stopped: training must not wait for that. Where there is room at all,
  // there is for PIPE_BUF bytes.
  pollfd room{STDERR_FILENO, POLLOUT, 0};
  const bool writable = poll(&room, 1, 0) == 1 && (room.revents & (POLLOUT | POLLERR | POLLHUP)) != 0;
  const auto written = writable ? write(STDERR_FILENO, text.data(), text.size()) : 0;
  const bool ours = written < 0 && errno == EPIPE && sigismember(&pending, SIGPIPE) == 0;
  constexpr timespec kNow{0, 0};
  if (ours) sigtimedwait(&pipe, nullptr, &kNow);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return written > 0;
}

// At the end of a character.
void cut(std::string& text, std::size_t most) {
  if (text.size() <= most) return;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  text.resize(most);
}

}  // namespace

// stdio is avoided: its lock may be held by a thread that is gone after fork, and its buffer belongs to the host.
void log(LogLevel level, const std::string& line) noexcept {
  if (level > log_level.load(std::memory_order_relaxed)) return;
  try {
    std::string text = "saetap: " + line;
    text.erase(std::min(text.size(), text.find("\nException raised from")));  // LibTorch's errors carry a stack trace
    std::replace(text.begin(), text.end(), '\n', ' ');
    const auto lost = unwritten.exchange(0);
    const auto before =
        lost == 0 ? ""
                  : "saetap: (" + std::to_string(lost) + " lines before this one were not written: nobody read them)\n";
    cut(text, PIPE_BUF - 1 - before.size());
    if (!write_without_sigpipe(before + text + '\n')) unwritten += lost + 1;
  } catch (...) {
    // Out of memory while logging: there is nothing left to say it with.
  }
}

}  // namespace saetap

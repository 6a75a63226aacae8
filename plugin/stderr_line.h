// Writing to the stderr of a program that is not ours; libc alone, for the launch shim has nothing else.
#pragma once

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace saetap {

// Writes with a single write(2): how many bytes, 0 if there is no room now, or -1. The reader of stderr may be gone:
// the program that never wrote to it must not die of our line. Nor must it wait, where nobody reads the pipe or the
// terminal is stopped. Where there is room at all, there is for PIPE_BUF bytes.
inline ssize_t write_to_stderr(const char* text, std::size_t length) noexcept {
  sigset_t pipe;
  sigset_t before;
  sigset_t pending;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  sigpending(&pending);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  pollfd room{STDERR_FILENO, POLLOUT, 0};
  const bool writable = poll(&room, 1, 0) == 1 && (room.revents & (POLLOUT | POLLERR | POLLHUP)) != 0;
  const ssize_t written = writable ? write(STDERR_FILENO, text, length) : 0;
  const bool ours = written < 0 && errno == EPIPE && sigismember(&pending, SIGPIPE) == 0;
  constexpr timespec kNow{0, 0};
  if (ours) sigtimedwait(&pipe, nullptr, &kNow);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return written;
}

}  // namespace saetap

#include "integrations/cli/held_signals.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "integrations/cli/child_process.h"

namespace saetap::cli {
namespace {

constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP};

bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

HeldSignals::HeldSignals() {
  sigemptyset(&held_);
  sigaddset(&held_, SIGCHLD);
  for (const int signal : kSignals) {
    if (!is_ignored(signal)) sigaddset(&held_, signal);
  }
  sigprocmask(SIG_BLOCK, &held_, &usual_);
}

HeldSignals::~HeldSignals() {
  sigprocmask(SIG_SETMASK, &usual_, nullptr);
}

int HeldSignals::wait_for(pid_t child, const std::function<void()>& tick) const {
  constexpr timespec kSecond{.tv_sec = 1, .tv_nsec = 0};
  int status = 0;
  while (true) {
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) return exit_status(status);
    if (ended < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category());
    if (tick) tick();
    const int signal = sigtimedwait(&held_, nullptr, &kSecond);
    if (signal == SIGCHLD || signal < 0) continue;
    kill(child, SIGKILL);
    const int killed = wait_for_child(child);
    kill(getpid(), signal);  // held back again, until this is destroyed
    return killed;
  }
}

}  // namespace saetap::cli

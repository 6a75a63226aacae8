#include "integrations/cli/held_signals.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>

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
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (tick) tick();
    const int signal = sigtimedwait(&held_, nullptr, &kSecond);
    if (signal == SIGCHLD || signal < 0) continue;
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    kill(getpid(), signal);  // held back again, until this is destroyed
    break;
  }
  return status;
}

}  // namespace saetap::cli

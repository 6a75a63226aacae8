#include "integrations/index/removed_on_signal.h"

#include <unistd.h>

#include <array>
#include <climits>
#include <csignal>

namespace saetap::index {
namespace {

constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP};

// A handler gets no argument: this is all it can see. Written while no handler is set.
std::array<char, PATH_MAX> removed_path{};

// Only what is safe within any other function: unlink, sigaction, raise.
extern "C" void remove_and_end(int signal) {
  ::unlink(removed_path.data());
  struct sigaction usual {};
  usual.sa_handler = SIG_DFL;
  ::sigaction(signal, &usual, nullptr);
  ::raise(signal);  // delivered when this returns
}

void handle(void (*handler)(int)) {
  for (const int signal : kSignals) {
    struct sigaction before {};
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler == SIG_IGN) continue;
    struct sigaction wanted {};
    wanted.sa_handler = handler;
    ::sigaction(signal, &wanted, nullptr);
  }
}

}  // namespace

RemovedOnSignal::RemovedOnSignal(const std::string& path) {
  if (path.size() >= removed_path.size()) return;  // open() has refused such a path
  removed_path[path.copy(removed_path.data(), path.size())] = '\0';
  handle(remove_and_end);
}

RemovedOnSignal::~RemovedOnSignal() {
  handle(SIG_DFL);
}

}  // namespace saetap::index

#include "integrations/collect/interrupt.h"

#include <array>
#include <csignal>
#include <cstdlib>

namespace saetap::collect {
namespace {

constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP};

volatile std::sig_atomic_t noted = 0;

extern "C" void note(int signal) {
  noted = signal;
}

}  // namespace

Interrupt::Interrupt() {
  noted = 0;
  for (const int signal : kSignals) {
    struct sigaction before {};
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler == SIG_IGN) continue;
    struct sigaction wanted {};
    wanted.sa_handler = note;
    wanted.sa_flags = SA_RESETHAND | SA_RESTART;
    ::sigaction(signal, &wanted, nullptr);
  }
}

Interrupt::~Interrupt() {
  for (const int signal : kSignals) {
    struct sigaction before {};
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler == note) std::signal(signal, SIG_DFL);
  }
}

bool Interrupt::asked() const {
  return noted != 0;
}

void Interrupt::end() const {
  std::signal(noted, SIG_DFL);
  std::raise(noted);
  std::_Exit(EXIT_FAILURE);  // it was blocked
}

}  // namespace saetap::collect

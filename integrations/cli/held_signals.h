// What tells the program to end waits until it has cleaned up.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <functional>

namespace saetap::cli {

// While it lives, SIGINT, SIGTERM and SIGHUP are held back; what came meanwhile ends the process as it always does when
// this goes. Destroyed last, whatever is destroyed before it is cleaned up. A signal that is ignored (nohup) stays so.
class HeldSignals {
 public:
  HeldSignals();
  ~HeldSignals();
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  // As it was before: for programs that are started meanwhile.
  [[nodiscard]] const sigset_t& usual() const { return usual_; }

  // As wait_for_child. A signal that tells the program to end kills the child. `tick` is called once a second
  // meanwhile; may be empty.
  [[nodiscard]] int wait_for(pid_t child, const std::function<void()>& tick = {}) const;

 private:
  sigset_t held_{};
  sigset_t usual_{};
};

}  // namespace saetap::cli

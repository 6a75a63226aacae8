// Ctrl-C ends a pass between two batches, with what it has saved.
#pragma once

namespace saetap::collect {

// While it lives, the first SIGINT, SIGTERM or SIGHUP is only noted; a second one ends the program as it always does. A
// signal that is ignored (nohup) stays so. One at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  [[nodiscard]] bool asked() const;
  // Ends the program by the signal that was noted, so that whoever started it sees why.
  [[noreturn]] void end() const;
};

}  // namespace saetap::collect

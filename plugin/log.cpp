#include "plugin/log.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>

namespace saetap {

namespace {
std::atomic<LogLevel> log_level{LogLevel::info};
}

void set_log_level(LogLevel level) {
  log_level.store(level, std::memory_order_relaxed);
}

// stdio is avoided: its lock may be held by a thread that is gone after fork, and its buffer belongs to the host.
void log(LogLevel level, const std::string& line) noexcept {
  if (level > log_level.load(std::memory_order_relaxed)) return;
  try {
    std::string text = "saetap: " + line;
    text.erase(std::min(text.size(), text.find("\nException raised from")));  // LibTorch's errors carry a stack trace
    std::replace(text.begin(), text.end(), '\n', ' ');
    text += '\n';
    [[maybe_unused]] const auto written = write(STDERR_FILENO, text.data(), text.size());
  } catch (...) {
    // Out of memory while logging: there is nothing left to say it with.
  }
}

}  // namespace saetap

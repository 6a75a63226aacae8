#include "plugin/log.h"

#include <limits.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "plugin/stderr_line.h"

namespace saetap {

namespace {
std::atomic<LogLevel> log_level{LogLevel::info};
}

void set_log_level(LogLevel level) {
  log_level.store(level, std::memory_order_relaxed);
}

namespace {

std::atomic<std::uint64_t> unwritten{0};

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
    text = before + text + '\n';
    if (write_to_stderr(text.data(), text.size()) <= 0) unwritten += lost + 1;
  } catch (...) {
    // Out of memory while logging: there is nothing left to say it with.
  }
}

}  // namespace saetap

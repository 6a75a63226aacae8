#include "integrations/cli/progress.h"

#include <unistd.h>

#include <iostream>

#include "plugin/number_text.h"

namespace saetap::cli {
namespace {

constexpr const char* kClearLine = "\r\x1b[K";

}  // namespace

void Progress::update(std::size_t done) {
  const Clock::time_point now = Clock::now();
  if (now < next_ || isatty(STDERR_FILENO) == 0) return;
  next_ = now + std::chrono::milliseconds(200);
  shown_ = true;
  const std::string of = total_ > 0 ? " of " + count_text(total_) : "";
  std::cerr << kClearLine << count_text(done) << of << " " << what_ << std::flush;
}

void Progress::clear() {
  if (shown_) std::cerr << kClearLine << std::flush;
  shown_ = false;
}

}  // namespace saetap::cli

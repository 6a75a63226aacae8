#include "integrations/collect/pace.h"

#include <unistd.h>

#include <cmath>
#include <iostream>

#include "plugin/log.h"
#include "plugin/number_text.h"

namespace saetap::collect {

namespace {

constexpr const char* kClearLine = "\r\x1b[K";
constexpr std::chrono::milliseconds kBetweenUpdates{200};
constexpr std::chrono::seconds kBetweenLines{10};

std::string count_of(std::int64_t count) {
  return count_text(static_cast<std::uint64_t>(count));
}

// "45 s", "12 min", "3 h 20 min"
std::string duration_text(double seconds) {
  if (seconds < 90) return std::to_string(std::lround(seconds)) + " s";
  const auto minutes = std::lround(seconds / 60);
  if (minutes < 90) return std::to_string(minutes) + " min";
  return std::to_string(minutes / 60) + " h " + std::to_string(minutes % 60) + " min";
}

}  // namespace

std::string pace_text(std::int64_t begun, std::int64_t done, std::int64_t total, double seconds) {
  auto text = count_of(done) + " of " + count_of(total) + " rows, " +
              percent_text(share_of(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total)));
  const auto rate = static_cast<double>(done - begun) / seconds;
  if (!(rate > 0) || !std::isfinite(rate)) return text;
  text += ", " + count_of(std::llround(rate)) + " rows/s";
  if (done < total) text += ", " + duration_text(static_cast<double>(total - done) / rate) + " left";
  return text;
}

void Pace::update(std::int64_t done) {
  const auto now = Clock::now();
  if (now < next_) return;
  const auto text = pace_text(before_, done, total_, std::chrono::duration<double>(now - started_).count());
  if (isatty(STDERR_FILENO) == 0) {
    next_ = now + kBetweenLines;
    log(LogLevel::info, "collected " + text);
    return;
  }
  next_ = now + kBetweenUpdates;
  shown_ = true;
  // The cursor is left at its beginning: a line of the log stands in its place, not behind it.
  std::cerr << kClearLine << text << '\r' << std::flush;
}

void Pace::clear() {
  if (shown_) std::cerr << kClearLine << std::flush;
  shown_ = false;
}

}  // namespace saetap::collect

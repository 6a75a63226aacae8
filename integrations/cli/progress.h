// A line on stderr for what takes longer than a second.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace saetap::cli {

// Says nothing during the first second, nor if stderr is no terminal. The line is cleared when this ends.
class Progress {
 public:
  // "1,200 of 4,096 features written"; without "of" where it is not known how many there are (0).
  Progress(std::string what, std::size_t total) : what_(std::move(what)), total_(total) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(std::size_t done);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  std::string what_;
  std::size_t total_;
  Clock::time_point next_ = Clock::now() + std::chrono::seconds(1);
  bool shown_ = false;
};

}  // namespace saetap::cli

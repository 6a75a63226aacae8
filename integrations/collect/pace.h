// How far a pass is, how fast it goes, and how long it will take.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace saetap::collect {

// On a terminal a line that is written anew; else a line of the log every ten seconds. Says nothing during the first
// second.
class Pace {
 public:
  // Of `total` rows `before` were done by a run that this one goes on with.
  Pace(std::int64_t before, std::int64_t total) : before_(before), total_(total) {}
  ~Pace() { clear(); }
  Pace(const Pace&) = delete;
  Pace& operator=(const Pace&) = delete;

  // `done`: rows, those before included.
  void update(std::int64_t done);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  std::int64_t before_;
  std::int64_t total_;
  Clock::time_point started_ = Clock::now();
  Clock::time_point next_ = started_ + std::chrono::seconds(1);
  bool shown_ = false;
};

// "41,984 of 102,400 rows, 41.0 %, 12,300 rows/s, 5 s left"; `begun`: of `done`, rows that were done before `seconds`.
[[nodiscard]] std::string pace_text(std::int64_t begun, std::int64_t done, std::int64_t total, double seconds);

}  // namespace saetap::collect

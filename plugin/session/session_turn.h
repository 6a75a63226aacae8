// The session's lock and its stopwatch, for one event or one request.
#pragma once

#include "plugin/session/session.h"

namespace saetap {

// Holds the session, unless it is over or this very thread is inside already.
class Session::Turn {
 public:
  explicit Turn(Session& session) : session_(session) {
    if (session.is_copy()) return;
    if (session.inside_.load() == std::this_thread::get_id() || session.collection_.is_current()) return;
    // Not to wait for the last save: a callback may wait for this thread there.
    lock_ = std::unique_lock(session.mutex_, std::defer_lock);
    do {
      if (session.finished_) return;
    } while (!lock_.try_lock_for(std::chrono::milliseconds(10)));
    if (session.finished_) return;
    session.inside_.store(std::this_thread::get_id());
    begin_ = Clock::now();
    if (session.first_tap_ == Clock::time_point{}) session.first_tap_ = session.latest_save_ = begin_;
    granted_ = true;
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (!granted_) return;
    const auto end = Clock::now();
    session_.facts_.seconds_inside += std::chrono::duration<double>(end - begin_).count();
    session_.facts_.seconds_total = std::chrono::duration<double>(end - session_.first_tap_).count();
    session_.inside_.store({});
  }
  explicit operator bool() const { return granted_; }

 private:
  Session& session_;
  std::unique_lock<std::timed_mutex> lock_;
  Clock::time_point begin_;
  bool granted_ = false;
};

}  // namespace saetap

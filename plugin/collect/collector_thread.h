// The thread on which callbacks run, so that the trainer does not wait for what is kept.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace saetap {

// How often and how long posting had to wait.
struct QueueWaits {
  std::uint64_t count = 0;
  double seconds = 0;
};

// Runs tasks one after the other, in the order of posting. Nothing is ever dropped: who has much to post asks for room
// first. The thread starts with the first task, blocks all signals, and lets no exception out. Thread-safe.
class CollectorThread {
 public:
  // `most_bytes`: what may wait in the queue, and besides what was posted when there was room. `on_failure`: told what
  // a task threw.
  CollectorThread(std::size_t most_bytes, std::function<void(const std::string&)> on_failure);
  CollectorThread(const CollectorThread&) = delete;
  CollectorThread& operator=(const CollectorThread&) = delete;
  // Runs what was posted, then ends the thread.
  ~CollectorThread();

  // `bytes`: memory that the task keeps until it has run. Does not wait. Must not be called from a task.
  void post(std::size_t bytes, std::function<void()> task);
  // Waits while the queue is full. False if that takes longer than `patience`: whatever is at work stands still.
  bool wait_for_room(std::chrono::milliseconds patience);
  // Waits until all that was posted before has run. False if that takes longer than `patience`, or from a task.
  bool drain(std::chrono::milliseconds patience = std::chrono::hours(24));

  // Gives up what waits; the thread ends with the task it is at. Whatever tasks use must stay for as long as that
  // takes.
  void abandon();

  // Whether this is called from a task.
  [[nodiscard]] bool is_current() const;
  [[nodiscard]] QueueWaits waits() const;
  // Most bytes that ever waited.
  [[nodiscard]] std::size_t peak_bytes() const;

 private:
  struct Task {
    std::size_t bytes;
    std::function<void()> run;
  };
  void start();
  void work();
  void tell(const char* failure) noexcept;

  const std::size_t most_bytes_;
  const std::function<void(const std::string&)> on_failure_;
  mutable std::mutex mutex_;
  std::condition_variable posted_;
  std::condition_variable done_;
  std::deque<Task> tasks_;
  std::size_t waiting_bytes_ = 0;  // of tasks_ and of the one at work
  std::size_t peak_bytes_ = 0;
  std::uint64_t posted_count_ = 0;
  std::uint64_t done_count_ = 0;
  bool ending_ = false;
  bool abandoned_ = false;
  QueueWaits waits_;
  std::thread thread_;
};

}  // namespace saetap

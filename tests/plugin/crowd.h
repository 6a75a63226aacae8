// Threads that start together, and a bound for tests that would otherwise hang.
#pragma once

#include <unistd.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace saetap::testing {

// Ends the program, with a word on why, if it lives too long: threads that wait for each other for ever cannot be
// joined.
class Watchdog {
 public:
  explicit Watchdog(std::string what, std::chrono::seconds bound = std::chrono::seconds(300))
      : thread_([this, what = std::move(what), bound] {
          std::unique_lock lock(mutex_);
          if (over_.wait_for(lock, bound, [this] { return is_over_; })) return;
          std::fprintf(stderr, "HANGS: %s\n", what.c_str());
          _exit(1);
        }) {}
  ~Watchdog() {
    {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
    }
    over_.notify_all();
    thread_.join();
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable over_;
  bool is_over_ = false;
  std::thread thread_;
};

// Runs `work` with the numbers 0 to count - 1, all at once, and waits for all.
inline void crowd(int count, const std::function<void(int)>& work) {
  std::barrier start(count);
  std::vector<std::thread> threads;
  for (int number = 0; number < count; ++number) {
    threads.emplace_back([&, number] {
      start.arrive_and_wait();
      work(number);
    });
  }
  for (auto& thread : threads) thread.join();
}

// Does something again and again on a thread of its own until it goes out of scope.
class Meanwhile {
 public:
  explicit Meanwhile(std::function<void()> work)
      : thread_([this, work = std::move(work)] {
          while (!stop_) {
            work();
            ++turns_;
            std::this_thread::yield();
          }
        }) {}
  ~Meanwhile() { stop(); }
  Meanwhile(const Meanwhile&) = delete;
  Meanwhile& operator=(const Meanwhile&) = delete;

  int stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return turns_;
  }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<int> turns_{0};
  std::thread thread_;
};

}  // namespace saetap::testing

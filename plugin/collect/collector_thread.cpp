#include "plugin/collect/collector_thread.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace saetap {

CollectorThread::CollectorThread(std::size_t most_bytes, std::function<void(const std::string&)> on_failure)
    : most_bytes_(most_bytes), on_failure_(std::move(on_failure)) {}

CollectorThread::~CollectorThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  posted_.notify_all();
  if (thread_.joinable()) thread_.join();
}

// A signal of the program's must find one of the program's own threads.
void CollectorThread::start() {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { work(); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void CollectorThread::post(std::size_t bytes, std::function<void()> task) {
  std::unique_lock lock(mutex_);
  if (!thread_.joinable()) start();
  tasks_.push_back({bytes, std::move(task)});
  waiting_bytes_ += bytes;
  peak_bytes_ = std::max(peak_bytes_, waiting_bytes_);
  ++posted_count_;
  lock.unlock();
  posted_.notify_one();
}

bool CollectorThread::wait_for_room(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  const auto has_room = [&] { return waiting_bytes_ < most_bytes_; };
  if (has_room()) return true;
  if (patience.count() == 0) return false;
  const auto begin = std::chrono::steady_clock::now();
  const bool room = done_.wait_for(lock, patience, has_room);
  ++waits_.count;
  waits_.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return room;
}

bool CollectorThread::drain(std::chrono::milliseconds patience) {
  if (is_current()) return false;
  std::unique_lock lock(mutex_);
  const auto until = posted_count_;
  done_.wait_for(lock, patience, [&] { return done_count_ >= until || abandoned_; });
  return done_count_ >= until;
}

void CollectorThread::abandon() {
  std::deque<Task> given_up;
  const std::lock_guard lock(mutex_);
  given_up.swap(tasks_);
  ending_ = abandoned_ = true;
  posted_.notify_all();
  done_.notify_all();
}

// There may be no memory left to tell it with.
void CollectorThread::tell(const char* failure) noexcept {
  try {
    on_failure_(failure);
  } catch (...) {
  }
}

void CollectorThread::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    posted_.wait(lock, [this] { return ending_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    try {
      task.run();
    } catch (const std::exception& error) {
      tell(error.what());
    } catch (...) {
      tell("unknown");
    }
    task.run = nullptr;  // what it kept goes before there is room for more
    lock.lock();
    waiting_bytes_ -= task.bytes;
    ++done_count_;
    done_.notify_all();
  }
}

bool CollectorThread::is_current() const {
  const std::lock_guard lock(mutex_);
  return thread_.get_id() == std::this_thread::get_id();
}

QueueWaits CollectorThread::waits() const {
  const std::lock_guard lock(mutex_);
  return waits_;
}

std::size_t CollectorThread::peak_bytes() const {
  const std::lock_guard lock(mutex_);
  return peak_bytes_;
}

}  // namespace saetap

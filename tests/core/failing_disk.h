// A disk whose n-th operation fails, put under SQLite as its default file system.
#pragma once

#include <sqlite3.h>

#include <cstddef>

namespace saetap::testing {

// How an operation fails.
enum class DiskFault {
  refused,   // nothing was done
  half,      // half of a write reached the disk; other operations: as refused
  answered,  // it was done, and an error reported all the same
};

// While one lives, files are opened through it; one at a time. Operations are counted from the latest fail_at().
class FailingDisk {
 public:
  FailingDisk();
  ~FailingDisk();
  FailingDisk(const FailingDisk&) = delete;
  FailingDisk& operator=(const FailingDisk&) = delete;

  // The n-th operation from now on, from 1, fails; with `and_all_later`, so do all after it.
  void fail_at(std::size_t n, DiskFault fault, bool and_all_later);
  // Nothing fails any more.
  void mend();
  [[nodiscard]] bool has_failed() const { return failed_; }
  [[nodiscard]] std::size_t operations() const { return count_; }

  // Of the file system: whether the next operation is to fail.
  [[nodiscard]] bool fails();
  [[nodiscard]] DiskFault fault() const { return fault_; }

 private:
  std::size_t count_ = 0;
  std::size_t at_ = 0;
  bool and_all_later_ = false;
  bool failed_ = false;
  DiskFault fault_ = DiskFault::refused;
};

}  // namespace saetap::testing

#include <ATen/Parallel.h>
#include <doctest/doctest.h>

#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "plugin/session/parallel.h"

using namespace saetap;

namespace {

struct Ranges {
  std::vector<int> times;  // that each number was handled
  std::set<std::thread::id> threads;
  std::int64_t shortest = 0, count = 0;
};

Ranges ranges_of(std::int64_t count, std::int64_t least) {
  Ranges ranges{std::vector<int>(static_cast<std::size_t>(count)), {}, count, 0};
  std::mutex mutex;
  in_parallel(count, least, [&](std::int64_t first, std::int64_t last) {
    const std::lock_guard lock(mutex);
    ranges.threads.insert(std::this_thread::get_id());
    ranges.shortest = std::min(ranges.shortest, last - first);
    ++ranges.count;
    for (auto i = first; i < last; ++i) ++ranges.times[static_cast<std::size_t>(i)];
  });
  return ranges;
}

class Threads {
 public:
  explicit Threads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  ~Threads() { at::set_num_threads(before_); }

 private:
  int before_;
};

}  // namespace

TEST_CASE("work on all cores is done once, and on as many threads as LibTorch has") {
  for (const int threads : {1, 2, 3, 7}) {
    const Threads set(threads);
    for (const std::int64_t count : {0, 1, 2, 3, 100, 1001}) {
      for (const std::int64_t least : {1, 3, 64, 5000}) {
        CAPTURE(threads);
        CAPTURE(count);
        CAPTURE(least);
        const auto ranges = ranges_of(count, least);
        CHECK(ranges.times == std::vector<int>(static_cast<std::size_t>(count), 1));
        CHECK(ranges.count == std::min<std::int64_t>(count, std::clamp<std::int64_t>(count / least, 1, threads)));
        CHECK(ranges.threads.size() == static_cast<std::size_t>(ranges.count));
        if (ranges.count > 1) CHECK(ranges.shortest >= least);
      }
    }
  }
}

TEST_CASE("what work on another core throws comes out, and work inside of work stays on its thread") {
  const Threads set(2);
  CHECK_THROWS_WITH_AS(in_parallel(2, 1,
                                   [](std::int64_t first, std::int64_t) {
                                     if (first == 1) throw std::runtime_error("of part 1");
                                   }),
                       "of part 1", std::runtime_error);
  std::mutex mutex;
  std::vector<bool> stayed;
  in_parallel(2, 1, [&](std::int64_t, std::int64_t) {
    const auto own = std::this_thread::get_id();
    in_parallel(2, 1, [&](std::int64_t first, std::int64_t last) {
      const std::lock_guard lock(mutex);
      stayed.push_back(first == 0 && last == 2 && std::this_thread::get_id() == own);
    });
  });
  CHECK(stayed == std::vector{true, true});
}

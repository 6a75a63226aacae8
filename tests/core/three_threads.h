// Work on three threads, so that ThreadSanitizer sees what LibTorch's threads do in a session.
#pragma once

#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace saetap::testing {

inline void three_threads(std::size_t count, const std::function<void(std::size_t, std::size_t)>& work) {
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 3; ++i) threads.emplace_back([&, i] { work(i * count / 3, (i + 1) * count / 3); });
  for (auto& thread : threads) thread.join();
}

}  // namespace saetap::testing

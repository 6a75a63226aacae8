// What waits for an accelerator: done in the order of the calls that it came with, when the device got so far, and
// never by waiting for it while there is room.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hooks/libtorch.h"

namespace saetap {

// Not thread-safe: the session holds its lock.
class DeviceQueue {
 public:
  // Runs once the device has done what was asked of it before. It may ask for more: the next stage waits for that.
  using Stage = std::function<void()>;

  // What was asked of `device` by this thread so far, and what to do then. Waits if too much is under way.
  void add(at::Device device, std::vector<Stage> stages);
  // A stage that throws ends its call; `told` why.
  void on_failure(std::function<void(const std::string&)> told) { on_failure_ = std::move(told); }

  // Does what can be done without waiting.
  void advance();
  // Does everything, waiting for the device.
  void finish();
  [[nodiscard]] bool empty() const { return calls_.empty(); }
  // How often the device had to be waited for.
  [[nodiscard]] std::uint64_t waits() const { return waits_; }

  // Whether calls with tensors there are to wait here.
  [[nodiscard]] bool wants(at::Device device) const { return !device.is_cpu() || delay_; }
  // For tests: the host is taken for an accelerator that is done when it was asked so often.
  void take_host_for_device(int asked) { delay_ = asked; }

 private:
  static constexpr std::size_t kMostCalls = 8;

  // A place in the stream of a device.
  class Mark {
   public:
    Mark(at::Device device, int delay);
    [[nodiscard]] bool reached();
    void wait();
    // Later work of this call goes to the same stream.
    [[nodiscard]] std::optional<c10::Stream> stream() const { return stream_; }

   private:
    std::optional<c10::Stream> stream_;
    std::optional<c10::Event> event_;
    int delay_;
  };
  struct Call {
    at::Device device;
    Mark mark;
    std::deque<Stage> stages;
  };
  enum class Patience : std::uint8_t { look, wait };
  // Whether the first call's mark was reached.
  bool run_stage(Patience patience);

  std::deque<Call> calls_;
  std::function<void(const std::string&)> on_failure_;
  std::uint64_t waits_ = 0;
  std::optional<int> delay_;
};

}  // namespace saetap

#include "plugin/session/device_queue.h"

#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <utility>

namespace saetap {

DeviceQueue::Mark::Mark(at::Device device, int delay) : delay_(delay) {
  if (device.is_cpu()) return;
  stream_ = c10::impl::VirtualGuardImpl(device.type()).getStream(device);
  event_.emplace(device.type());
  event_->record(*stream_);
}

bool DeviceQueue::Mark::reached() {
  if (event_) return event_->query();
  return delay_-- <= 0;
}

void DeviceQueue::Mark::wait() {
  if (event_) event_->synchronize();
  delay_ = 0;
}

void DeviceQueue::add(at::Device device, std::vector<Stage> stages) {
  while (calls_.size() >= kMostCalls) {
    ++waits_;
    run_stage(Patience::wait);
  }
  calls_.push_back({device, Mark(device, delay_.value_or(0)), {stages.begin(), stages.end()}});
}

void DeviceQueue::advance() {
  while (!calls_.empty() && run_stage(Patience::look)) {
  }
}

void DeviceQueue::finish() {
  while (!calls_.empty()) run_stage(Patience::wait);
}

// The next stage of the first call. A device that fails says so when it is asked how far it got: that ends the call as
// a stage that fails does.
bool DeviceQueue::run_stage(Patience patience) {
  auto& call = calls_.front();
  std::string failure;
  try {
    if (patience == Patience::wait) {
      call.mark.wait();
    } else if (!call.mark.reached()) {
      return false;
    }
    const auto stage = std::move(call.stages.front());
    call.stages.pop_front();
    const auto stream = call.mark.stream();
    std::optional<c10::StreamGuard> guard;
    if (stream) guard.emplace(*stream);
    stage();
    if (!call.stages.empty()) call.mark = Mark(call.device, delay_.value_or(0));
  } catch (const std::exception& error) {
    failure = error.what();
    if (failure.empty()) failure = "unknown";
    call.stages.clear();
  }
  if (call.stages.empty()) calls_.pop_front();
  if (!failure.empty() && on_failure_) on_failure_(failure);
  return true;
}

}  // namespace saetap

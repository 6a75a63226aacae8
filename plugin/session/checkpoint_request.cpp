#include "plugin/session/checkpoint_request.h"

#include <system_error>

namespace saetap {

bool CheckpointRequest::look() {
  constexpr std::chrono::seconds kBetween{1};
  const auto now = Clock::now();
  if (now < next_look_) return asked_;
  next_look_ = now + kBetween;
  std::error_code none;
  const auto when = std::filesystem::last_write_time(path_, none);
  asked_ = !none;
  if (asked_) when_ = when;
  return asked_;
}

void CheckpointRequest::done() {
  if (!asked_) return;
  asked_ = false;
  std::error_code none;
  if (std::filesystem::last_write_time(path_, none) == when_ && !none) std::filesystem::remove(path_, none);
}

}  // namespace saetap

#include "plugin/session/checkpoint_request.h"

#include <sys/stat.h>
#include <unistd.h>

namespace saetap {

bool CheckpointRequest::look() {
  constexpr std::chrono::seconds kBetween{1};
  const auto now = Clock::now();
  if (now < next_look_) return asked_;
  next_look_ = now + kBetween;
  const auto request = when_asked();
  asked_ = request.has_value();
  if (request) when_ = *request;
  return asked_;
}

// A file of the program's own may have the name: only an empty one asks, and goes.
std::optional<CheckpointRequest::When> CheckpointRequest::when_asked() const {
  struct stat status {};
  if (::lstat(path_.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size != 0) return std::nullopt;
  const When when{status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
  if (when == not_removed_) return std::nullopt;
  return when;
}

void CheckpointRequest::done() {
  if (!asked_) return;
  asked_ = false;
  if (when_asked() == when_ && ::unlink(path_.c_str()) != 0) not_removed_ = when_;
}

}  // namespace saetap

// A temporary file does not outlive its program when that is told to end.
#pragma once

#include <string>

namespace saetap::index {

// While it lives, SIGINT, SIGTERM and SIGHUP remove the file before they end the process as they always do. One at a
// time; a signal that is ignored (nohup) stays so.
class RemovedOnSignal {
 public:
  explicit RemovedOnSignal(const std::string& path);
  ~RemovedOnSignal();
  RemovedOnSignal(const RemovedOnSignal&) = delete;
  RemovedOnSignal& operator=(const RemovedOnSignal&) = delete;
};

}  // namespace saetap::index

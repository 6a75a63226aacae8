// A checkpoint asked for from outside the program: by a file, "checkpoint" beside the store.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace saetap {

// `touch activation_samples/checkpoint` asks, if that makes an empty file; the file goes when that is done. Throws
// nothing. One thread at a time.
class CheckpointRequest {
 public:
  explicit CheckpointRequest(const std::string& folder) : path_(folder + "/checkpoint") {}

  // Whether somebody asks; looks once a second at most.
  bool look();
  // What was asked for before the latest look is saved. Who asked again since is still heard.
  void done();

 private:
  using Clock = std::chrono::steady_clock;
  using When = std::pair<std::int64_t, std::int64_t>;  // seconds, nanoseconds
  [[nodiscard]] std::optional<When> when_asked() const;

  std::string path_;
  Clock::time_point next_look_{};
  bool asked_ = false;
  When when_{};
  std::optional<When> not_removed_;  // one that stays cannot ask for ever
};

}  // namespace saetap

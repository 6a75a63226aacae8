// A checkpoint asked for from outside the program: by a file, "checkpoint" beside the store.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace saetap {

// `touch activation_samples/checkpoint` asks; the file goes when that is done. Throws nothing. One thread at a time.
class CheckpointRequest {
 public:
  explicit CheckpointRequest(const std::string& folder) : path_(std::filesystem::path(folder) / "checkpoint") {}

  // Whether somebody asks; looks once a second at most.
  bool look();
  // What was asked for before the latest look is saved. Who asked again since is still heard.
  void done();

 private:
  using Clock = std::chrono::steady_clock;

  std::filesystem::path path_;
  Clock::time_point next_look_{};
  bool asked_ = false;
  std::filesystem::file_time_type when_{};
};

}  // namespace saetap

// The callback `jsonl`: what happens, one JSON object a line, for programs that follow a run.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "plugin/callbacks/choice.h"
#include "plugin/collect/callback.h"

namespace saetap {

// Appends to a file that only its owner can read; docs/json_output.md says what a line holds. A line is written whole,
// when its event is over.
class JsonLines : public Callback {
 public:
  // The file at `path` is opened at the first event. `run`: names this process's run, and rank.
  JsonLines(JsonLinesOptions options, std::string path, std::string run);
  JsonLines(const JsonLines&) = delete;
  JsonLines& operator=(const JsonLines&) = delete;
  ~JsonLines() override;

  // These throw std::runtime_error if the file cannot be written.
  void on_attach(const Site& site) override;
  void on_batch(const Batch& batch) override;
  void on_step(const StepEvent& event) override;
  void on_checkpoint(const CheckpointEvent& event) override;
  void on_finish() override;

 private:
  void append(const std::string& lines);

  const JsonLinesOptions options_;
  const std::string path_;
  const std::string run_;
  std::map<int, std::int64_t> calls_;  // by Site::id
  int file_ = -1;
  bool failed_ = false;
};

}  // namespace saetap

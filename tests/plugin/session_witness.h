// What the session's tests share: a folder, a config, and a callback that remembers what it was shown.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "plugin/log.h"
#include "plugin/session/session.h"
#include "tests/plugin/script_modules.h"

namespace saetap::testing {

inline constexpr int64_t kWidth = 16;
inline constexpr int64_t kFeatures = 48;
inline constexpr int64_t kVocabulary = 50;

// A folder of its own for each test, gone afterwards.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/saetap-test-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string path() const { return path_; }

 private:
  std::string path_;
};

inline Config config_for(const Folder& folder) {
  Config config;
  config.save_activation_samples = true;
  config.output_dir = folder.path();
  config.sample_activation_threshold = 0.01;
  set_log_level(LogLevel::error);
  return config;
}

// Copies what on_batch shows, since its views end with the call.
struct SeenBatch {
  std::uint64_t step;
  Phase phase;
  std::int64_t eligible;
  std::vector<TokenPosition> positions;
  std::vector<Candidate> candidates;
  std::vector<FeatureSums> sums;
};

// Sees what the session's callbacks see, on the collector's thread; asked from the test's own, it waits for that.
class Witness : public Callback {
 public:
  explicit Witness(Session& session) : session_(session) {}
  void on_attach(const Site& site) override {
    attached_.push_back(site.name);
    bars_.assign(static_cast<std::size_t>(site.features), 0.5f);
  }
  CandidateBars bars(const Site&, std::uint64_t) override { return {bars_, {}}; }
  void on_batch(const Batch& batch) override {
    SeenBatch seen{batch.step, batch.phase, batch.eligible, {batch.positions.begin(), batch.positions.end()}, {}, {}};
    for (const auto& range : batch.found)
      seen.candidates.insert(seen.candidates.end(), range.candidates.begin(), range.candidates.end());
    seen.sums.assign(batch.sums.begin(), batch.sums.end());
    batches_.push_back(std::move(seen));
  }
  void on_step(const StepEvent& event) override { steps_.emplace_back(event.step, event.collected); }
  void on_checkpoint(const CheckpointEvent& event) override { checkpoints_.push_back(event.last); }
  void on_finish() override { ++finished_; }

  const std::vector<std::string>& attached() const { return settled(attached_); }
  const std::vector<SeenBatch>& batches() const { return settled(batches_); }
  const std::vector<std::pair<std::uint64_t, bool>>& steps() const { return settled(steps_); }
  const std::vector<bool>& checkpoints() const { return settled(checkpoints_); }
  int finished() const { return settled(finished_); }
  void clear() {
    session_.settle();
    batches_.clear();
    steps_.clear();
  }

 private:
  template <typename Seen>
  const Seen& settled(const Seen& seen) const {
    session_.settle();
    return seen;
  }

  Session& session_;
  std::vector<float> bars_;
  std::vector<std::string> attached_;
  std::vector<SeenBatch> batches_;
  std::vector<std::pair<std::uint64_t, bool>> steps_;
  std::vector<bool> checkpoints_;
  int finished_ = 0;
};

inline std::shared_ptr<Witness> add_witness(Session& session) {
  auto witness = std::make_shared<Witness>(session);
  session.add_callback("witness", witness);
  return witness;
}

}  // namespace saetap::testing

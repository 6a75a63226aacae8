// The callback `progress`: now and then, how far each site is, in one line.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "plugin/callbacks/choice.h"
#include "plugin/collect/callback.h"

namespace saetap {

class ProgressLines : public Callback {
 public:
  using Clock = std::chrono::steady_clock;
  // `say` is given each line, `now` tells the time.
  ProgressLines(ProgressOptions options, std::function<void(const std::string&)> say,
                std::function<Clock::time_point()> now = Clock::now);

  void on_attach(const Site& site) override;
  void on_batch(const Batch& batch) override;
  void on_step(const StepEvent& event) override;

 private:
  struct SiteProgress {
    std::uint64_t steps = 0;  // of this process
    std::uint64_t latest_step = 0;
    std::uint64_t eligible = 0;  // rows since the latest line
    std::uint64_t active = 0;    // activations since then
    std::uint64_t all_eligible = 0;
    std::vector<std::uint8_t> met_active;  // [features], since the latest line
    Clock::time_point said;
    std::uint64_t steps_said = 0;
  };
  void say_if_due(const Site& site, SiteProgress& progress);
  void say(const Site& site, SiteProgress& progress, Clock::time_point now);

  const std::chrono::seconds pause_;
  const std::function<void(const std::string&)> say_;
  const std::function<Clock::time_point()> now_;
  std::map<int, SiteProgress> sites_;  // by Site::id
};

}  // namespace saetap

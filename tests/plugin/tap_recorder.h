// A listener that hooks every certain site and keeps copies of what the taps see.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "hooks/discover.h"

namespace saetap::testing {

class Recorder : public hooks::Listener {
 public:
  Recorder() { hooks::Discovery::of_process().add(*this); }
  ~Recorder() override { stop(); }

  void stop() { hooks::Discovery::of_process().remove(*this); }

  hooks::Wanted on_meeting(const hooks::Meeting& meeting) override {
    const std::lock_guard lock(mutex_);
    ++meetings;
    hooks::Wanted wanted;
    for (std::size_t i = 0; i < meeting.sites.size(); ++i) {
      if (!meeting.sites[i].certain) continue;
      wanted.sites.push_back(i);
      widths_[meeting.taps[i]] = meeting.sites[i].features;
    }
    return wanted;
  }
  void on_failure(const std::string& what) override {
    const std::lock_guard lock(mutex_);
    failures.push_back(what);
  }
  void on_features(const hooks::FeatureEvent& event) noexcept override {
    const std::lock_guard lock(mutex_);
    ++seen;
    if (!keep) return;
    features.push_back(dense(event));
    owners.push_back(event.owner);
    grads.push_back(event.grad_enabled);
  }
  void on_stream(const hooks::StreamEvent&) noexcept override {}

  bool keep = true;  // what is seen; false: it is counted
  int seen = 0;
  std::vector<at::Tensor> features;  // dense, whatever their form
  std::vector<c10::IValue> owners;
  std::vector<bool> grads;
  std::vector<std::string> failures;
  int meetings = 0;

 private:
  at::Tensor dense(const hooks::FeatureEvent& event) const {
    if (!event.indices.defined()) return event.values.clone();
    auto sizes = event.values.sizes().vec();
    sizes.back() = widths_.at(event.tap);
    return at::zeros(sizes, event.values.options()).scatter_(-1, event.indices, event.values);
  }

  std::mutex mutex_;
  std::map<int, std::int64_t> widths_;  // F, by tap
};

}  // namespace saetap::testing

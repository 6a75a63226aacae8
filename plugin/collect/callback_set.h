// All callbacks of a session, called one after the other; one that fails is switched off and the others go on.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "plugin/collect/callback.h"

namespace saetap {

// Not thread-safe: the session holds its lock.
class CallbackSet {
 public:
  // `on_failure`: told once, in one line, when a callback is switched off.
  explicit CallbackSet(std::function<void(const std::string&)> on_failure) : on_failure_(std::move(on_failure)) {}

  void add(std::string name, std::shared_ptr<Callback> callback);

  void attach(const Site& site);
  // The lowest bar of any callback per feature; empty if nobody wants candidates. Valid until the next call of bars().
  [[nodiscard]] CandidateBars bars(const Site& site, std::uint64_t step);
  // The widest context that any callback wants.
  [[nodiscard]] std::uint32_t context_size();
  void batch(const Batch& batch);
  void step(const StepEvent& event);
  void checkpoint(const CheckpointEvent& event);
  // Of the first callback that knows it.
  [[nodiscard]] std::optional<std::string> token_text(std::int32_t id);
  void finish();

 private:
  struct Entry {
    std::string name;
    std::shared_ptr<Callback> callback;
    bool on = true;
  };
  template <typename Call>
  void each(const char* event, Call call, bool even_if_off = false);
  void switch_off(Entry& entry, const char* event, const char* why) noexcept;

  std::function<void(const std::string&)> on_failure_;
  std::vector<Entry> entries_;
  std::vector<float> lowest_;
  std::vector<std::uint32_t> highest_hash_;
};

}  // namespace saetap

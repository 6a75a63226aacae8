#include "plugin/collect/callback_set.h"

#include <algorithm>
#include <exception>

namespace saetap {

// What a callback kept before it failed is still worth saving.
constexpr bool kEvenIfOff = true;

void CallbackSet::add(std::string name, std::shared_ptr<Callback> callback) {
  entries_.push_back({std::move(name), std::move(callback), true});
}

template <typename Call>
void CallbackSet::each(const char* event, Call call, bool even_if_off) {
  for (auto& entry : entries_) {
    if (!entry.on && !even_if_off) continue;
    try {
      call(*entry.callback);
    } catch (const std::exception& error) {
      entry.on = false;
      on_failure_("callback " + entry.name + " switched off, it failed in " + event + ": " + error.what());
    } catch (...) {
      entry.on = false;
      on_failure_("callback " + entry.name + " switched off, it failed in " + event);
    }
  }
}

void CallbackSet::attach(const Site& site) {
  each("on_attach", [&](Callback& c) { c.on_attach(site); });
}

std::span<const float> CallbackSet::bars(const Site& site, std::uint64_t step) {
  std::span<const float> lowest;
  each("bars", [&](Callback& c) {
    const auto bars = c.bars(site, step);
    if (bars.size() != static_cast<std::size_t>(site.features)) return;
    if (lowest.empty()) {
      lowest = bars;
      return;
    }
    if (lowest.data() != lowest_.data()) lowest_.assign(lowest.begin(), lowest.end());
    std::transform(bars.begin(), bars.end(), lowest_.begin(), lowest_.begin(),
                   [](float a, float b) { return std::min(a, b); });
    lowest = lowest_;
  });
  return lowest;
}

std::uint32_t CallbackSet::context_size() {
  std::uint32_t widest = 0;
  each("context_size", [&](Callback& c) { widest = std::max(widest, c.context_size()); });
  return widest;
}

void CallbackSet::batch(const Batch& batch) {
  each("on_batch", [&](Callback& c) { c.on_batch(batch); });
}

void CallbackSet::step(const StepEvent& event) {
  each("on_step", [&](Callback& c) { c.on_step(event); });
}

void CallbackSet::checkpoint(const CheckpointEvent& event) {
  each(
      "on_checkpoint", [&](Callback& c) { c.on_checkpoint(event); }, kEvenIfOff);
}

std::optional<std::string> CallbackSet::token_text(std::int32_t id) {
  std::optional<std::string> text;
  each("token_text", [&](Callback& c) {
    if (!text) text = c.token_text(id);
  });
  return text;
}

void CallbackSet::finish() {
  each(
      "on_finish", [](Callback& c) { c.on_finish(); }, kEvenIfOff);
}

}  // namespace saetap

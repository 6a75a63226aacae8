#include "plugin/collect/callback_set.h"

#include <algorithm>
#include <exception>
#include <utility>

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
      switch_off(entry, event, error.what());
    } catch (...) {
      switch_off(entry, event, "unknown");
    }
  }
}

// Told once. There may be no memory left to tell it with.
void CallbackSet::switch_off(Entry& entry, const char* event, const char* why) noexcept {
  if (!std::exchange(entry.on, false)) return;
  try {
    on_failure_("callback " + entry.name + " switched off, it failed in " + event + ": " + why);
  } catch (...) {
  }
}

void CallbackSet::attach(const Site& site) {
  each("on_attach", [&](Callback& c) { c.on_attach(site); });
}

namespace {

// Takes a callback's bars into those of the others before it; `both` is memory for more than one.
template <typename Number, typename Pick>
void take_in(std::span<const Number>& all, std::span<const Number> own, std::vector<Number>& both, Pick pick) {
  if (all.empty()) {
    all = own;
    return;
  }
  if (all.data() != both.data()) both.assign(all.begin(), all.end());
  std::transform(own.begin(), own.end(), both.begin(), both.begin(), pick);
  all = both;
}

}  // namespace

CandidateBars CallbackSet::bars(const Site& site, std::uint64_t step) {
  CandidateBars all;
  const auto features = static_cast<std::size_t>(site.features);
  each("bars", [&](Callback& c) {
    const CandidateBars own = c.bars(site, step);
    if (own.activation.size() == features) {
      take_in(all.activation, own.activation, lowest_, [](float a, float b) { return std::min(a, b); });
    }
    if (own.hash.size() == features) {
      take_in(all.hash, own.hash, highest_hash_, [](std::uint32_t a, std::uint32_t b) { return std::max(a, b); });
    }
    all.end_step = std::min(all.end_step, own.end_step);
  });
  return all;
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

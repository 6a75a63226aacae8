#include "plugin/callbacks/progress_lines.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "plugin/number_text.h"

namespace saetap {

ProgressLines::ProgressLines(ProgressOptions options, std::function<void(const std::string&)> say,
                             std::function<Clock::time_point()> now)
    : pause_(options.seconds), say_(std::move(say)), now_(std::move(now)) {}

void ProgressLines::on_attach(const Site& site) {
  SiteProgress& progress = sites_[site.id];
  progress.met_active.assign(static_cast<std::size_t>(site.features), 0);
  progress.said = now_();
}

void ProgressLines::on_batch(const Batch& batch) {
  SiteProgress& progress = sites_[batch.site.id];
  progress.eligible += static_cast<std::uint64_t>(batch.eligible);
  progress.all_eligible += static_cast<std::uint64_t>(batch.eligible);
  for (std::size_t feature = 0; feature < batch.sums.size(); ++feature) {
    if (batch.sums[feature].active == 0) continue;
    progress.active += batch.sums[feature].active;
    progress.met_active[feature] = 1;
  }
  progress.latest_step = batch.step;
  say_if_due(batch.site, progress);  // a call without gradients ends no step
}

void ProgressLines::on_step(const StepEvent& event) {
  SiteProgress& progress = sites_[event.site.id];
  ++progress.steps;
  progress.latest_step = event.step;
  say_if_due(event.site, progress);
}

void ProgressLines::say_if_due(const Site& site, SiteProgress& progress) {
  const auto now = now_();
  if (now - progress.said >= pause_) say(site, progress, now);
}

// "Sae.forward.4096: step 1,200, 0.5 a second · 4,915,200 tokens kept track of · L0 31.8 · 12 of 4,096 features silent
// since the last line"
void ProgressLines::say(const Site& site, SiteProgress& progress, Clock::time_point now) {
  const double seconds = std::chrono::duration<double>(now - progress.said).count();
  char rate[32];
  std::snprintf(rate, sizeof rate, "%.3g", static_cast<double>(progress.steps - progress.steps_said) / seconds);
  char l0[32];
  std::snprintf(l0, sizeof l0, "%.1f",
                static_cast<double>(progress.active) / std::max<double>(1, static_cast<double>(progress.eligible)));
  const auto silent = std::count(progress.met_active.begin(), progress.met_active.end(), std::uint8_t{0});
  say_("progress  " + site.name + ": step " + count_text(progress.latest_step) + ", " + rate + " a second · " +
       count_text(progress.all_eligible) + " tokens · L0 " + l0 + " · " +
       count_text(static_cast<std::uint64_t>(silent)) + " of " + count_text(static_cast<std::uint64_t>(site.features)) +
       " features silent since the last line");
  progress.said = now;
  progress.steps_said = progress.steps;
  progress.eligible = progress.active = 0;
  std::fill(progress.met_active.begin(), progress.met_active.end(), std::uint8_t{0});
}

}  // namespace saetap

#include "integrations/analysis/window_activity.h"

#include <algorithm>

namespace saetap {

RunActivity read_window_activity(const StoredWindows& windows, const Site& site) {
  std::vector<StoredWindow> stored = windows.of(site.id);
  const bool history = std::ranges::any_of(stored, [](const StoredWindow& window) { return !window.part; });
  // The past is what is in history, once more.
  if (history) std::erase_if(stored, [](const StoredWindow& window) { return window.part == PartKind::past; });
  RunActivity activity{.windows = {}, .stored = stored.size()};
  if (stored.size() < 2 || stored.size() * static_cast<std::uint64_t>(site.features) > kMostWindowRows) return activity;
  for (const StoredWindow& window : stored) {
    WindowActivity& one = activity.windows.emplace_back();
    one.first_step = window.first_step;
    one.last_step = window.last_step;
    one.eligible = window.eligible;
    for (const FeatureStatistics& statistics : windows.statistics(site, window))
      one.active.push_back(statistics.active);
  }
  return activity;
}

}  // namespace saetap

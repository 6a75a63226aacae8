// What every feature did in each window of a run.
#pragma once

#include <vector>

#include "integrations/analysis/suspicious_features.h"
#include "plugin/store/stored_windows.h"

namespace saetap {

struct RunActivity {
  std::vector<WindowActivity> windows;
  std::uint64_t stored = 0;  // how many windows there are, also where they are not read
};

// The windows in history one by one, then the closed and the open one; where nothing is in history, what is past
// stands as one. None are read of a run of a single window, and where all of it are more than kMostWindowRows rows:
// reading those would take longer than a report may. Throws StoreError.
inline constexpr std::uint64_t kMostWindowRows = 1'000'000;
[[nodiscard]] RunActivity read_window_activity(const StoredWindows& windows, const Site& site);

}  // namespace saetap

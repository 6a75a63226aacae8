// What features did in each window of a run.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plugin/store/stored_windows.h"

namespace saetap {

struct FeatureInWindow {
  StoredWindow window;
  FeatureStatistics statistics;
};

// One feature in the windows of a site, in the order of their steps: those in history, then the closed and the open
// one. (What is past as a whole is all of those in history.) Throws StoreError.
[[nodiscard]] std::vector<FeatureInWindow> window_series(StoredWindows& windows, int site, std::uint32_t feature);

}  // namespace saetap

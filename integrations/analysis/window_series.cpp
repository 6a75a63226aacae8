#include "integrations/analysis/window_series.h"

namespace saetap {

std::vector<FeatureInWindow> window_series(StoredWindows& windows, int site, std::uint32_t feature) {
  std::vector<FeatureInWindow> series;
  for (const StoredWindow& window : windows.of(site)) {
    if (window.part == PartKind::past) continue;
    series.push_back({window, windows.read(site, window, feature).statistics});
  }
  return series;
}

}  // namespace saetap

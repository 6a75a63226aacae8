// The windows of a run one by one, where StoreReader reads what several of them have together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plugin/collect/feature_statistics.h"
#include "plugin/collect/sample.h"
#include "plugin/collect/site_collection.h"
#include "plugin/store/sqlite.h"

namespace saetap {

// A span of steps that the store tells apart from others.
struct StoredWindow {
  std::optional<PartKind> part;  // nothing: a window in history
  Window window;                 // of the past: the newest one in it
  std::uint64_t first_step = 0;
  std::uint64_t last_step = 0;  // of the steps collected; in history, of the window
  std::uint64_t eligible = 0;   // rows that counted
};

// What was kept of one feature over some span.
struct KeptOfFeature {
  FeatureStatistics statistics;
  std::vector<Sample> samples;         // strongest first; in history ten at most
  std::vector<Sample> random_samples;  // in history none
};

// Opened read-only. One thread at a time.
class StoredWindows {
 public:
  // `path`: a .saetap file, or the folder that holds samples.saetap. Throws StoreError.
  explicit StoredWindows(const std::string& path);
  StoredWindows(const StoredWindows&) = delete;
  StoredWindows& operator=(const StoredWindows&) = delete;

  // Windows in history by number, then past, closed and open; those in which no row counted are left out.
  [[nodiscard]] std::vector<StoredWindow> of(int site) const;
  // `window`: of the same site. All zeros for a feature that did nothing in it. Throws StoreError.
  [[nodiscard]] KeptOfFeature read(int site, const StoredWindow& window, std::uint32_t feature);
  // Statistics of every feature in it, [features]; of a feature that did nothing all zeros. Throws StoreError.
  [[nodiscard]] std::vector<FeatureStatistics> statistics(const Site& site, const StoredWindow& window) const;
  // Whether somebody saved into the file since it was opened: what was read may be of different checkpoints.
  [[nodiscard]] bool changed() const;

 private:
  Database database_;
  std::int64_t version_;
  Statement statistics_;
  Statement samples_;
  Statement random_samples_;
  Statement history_;
};

}  // namespace saetap

// Rows of the tables that hold a part of a run: feature by feature, from memory or from the store.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "plugin/collect/feature_rows.h"
#include "plugin/collect/sample_collector.h"
#include "plugin/store/sqlite.h"
#include "plugin/store/store_format.h"

namespace saetap {

// The row of a part itself.
struct PartRow {
  Window window;
  std::uint64_t first_step = 0;
  std::uint64_t last_step = 0;
  std::uint64_t eligible = 0;
};
[[nodiscard]] PartRow row_of(const Part& part);
[[nodiscard]] std::optional<PartRow> read_part_row(const Database& database, int site, PartKind kind);
void write_part_row(Database& database, int site, PartKind kind, const PartRow& row);

// Statements are prepared once and used for every feature. Must not outlive the database.
class FeatureReader {
 public:
  FeatureReader(const Database& database, int site, PartKind kind);
  // Contexts are put into `contexts`.
  [[nodiscard]] FeatureRows read(std::uint32_t feature, bool with_groups, ContextPool& contexts);

 private:
  std::string path_;
  Statement statistics_;
  Statement samples_;
  Statement random_samples_;
};

class FeatureWriter {
 public:
  // `contexts`: of all samples that are written.
  FeatureWriter(const Database& database, int site, PartKind kind, const ContextPool& contexts);
  // All three; of what is empty there is no row.
  void write(std::uint32_t feature, const FeatureRows& rows);
  void write_statistics(std::uint32_t feature, const FeatureStatistics& statistics,
                        const ActivationHistogram& histogram);
  void write_samples(std::uint32_t feature, std::span<const Sample> samples, std::span<const std::uint64_t> groups);
  void write_random_samples(std::uint32_t feature, std::span<const Sample> samples);

 private:
  Statement statistics_;
  Statement samples_;
  Statement random_samples_;
  SampleColumns columns_;
};

// What a window did that is neither open nor closed any more.
class HistoryWriter {
 public:
  // `eligible`: rows that counted in the window. `contexts`: of all samples that are written.
  HistoryWriter(Database& database, int site, const Window& window, std::uint64_t eligible,
                const ContextPool& contexts);
  // `top`: strongest first; `groups`: of each, empty without a limit for those that are alike.
  void write(std::uint32_t feature, const FeatureStatistics& statistics, std::span<const Sample> top,
             std::span<const std::uint64_t> groups);

 private:
  Statement insert_;
  SampleColumns columns_;
};

// Takes all rows of a part out.
void remove_part(Database& database, int site, PartKind kind);

}  // namespace saetap

// What writer and reader must agree on; docs/file_format.md says it for people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plugin/collect/feature_statistics.h"
#include "plugin/collect/sample.h"
#include "plugin/collect/sample_collector.h"
#include "plugin/collect/windows.h"
#include "plugin/scan/activation_histogram.h"
#include "plugin/store/sqlite.h"

namespace saetap {

inline constexpr const char* kStoreFileName = "samples.saetap";
inline constexpr std::int64_t kApplicationId = 0x53414554;  // "SAET"
inline constexpr std::int64_t kFormatVersion = 5;
inline constexpr std::int64_t kDecoderBlockFeatures = 1024;  // decoder directions in one row of `decoder`

// Creates the tables. Pages of 16 KiB: a feature's row with 100 samples takes 2 KiB, of which only one fits in the
// usual 4.
extern const char* const kCreateStore;
// The one table that stores of this version may be without: they were written before there was one.
extern const char* const kCreateTokenCounts;

// The name of a part in the tables.
[[nodiscard]] const char* part_name(PartKind kind);

// "auto", the fixed length, or "0": the config key's own spelling.
[[nodiscard]] std::string window_rule_text(const WindowRule& rule);

// The columns of samples as BLOBs: one element per sample, strongest first, and one for each activation around them.
class SampleColumns {
 public:
  // `contexts`: of the samples.
  explicit SampleColumns(const ContextPool& contexts) : contexts_(contexts) {}
  // Binds the seven BLOBs from `parameter` on; they stay valid until the next call.
  void bind(Statement& statement, int parameter, std::span<const Sample> samples);

 private:
  const ContextPool& contexts_;
  std::vector<float> activation_;
  std::vector<std::int64_t> sequence_;
  std::vector<std::uint32_t> position_;
  std::vector<std::uint32_t> step_;
  std::vector<std::int32_t> context_count_;   // -1: not known
  std::vector<std::int32_t> context_offset_;  // of all samples, one after the other
  std::vector<float> context_activation_;
};

// Bits of `kept` in the table of sequences: who needs a segment besides the open part, which the pool speaks for.
inline constexpr std::int64_t kKeptForHistory = 1;
inline constexpr std::int64_t kKeptForParts = 2;

inline constexpr int kSampleColumns = 4;  // before those of their contexts
inline constexpr int kAlikeColumn = kSampleColumns + 3;
// The samples in the four columns from `column` on. Throws StoreError if lengths do not agree or a value cannot be.
[[nodiscard]] std::vector<Sample> read_samples(const Statement& statement, int column, const std::string& path);

// What is known of the activations around each sample, from the three columns from `column` on: as many lists as there
// are samples, or the store is not sound. Throws StoreError.
[[nodiscard]] std::vector<std::optional<std::vector<ContextActivation>>> read_context_activations(
    const Statement& statement, int column, const std::string& path);

// Both of the above: the samples, with what is known of the activations around each put into `pool`.
[[nodiscard]] std::vector<Sample> read_samples_with_contexts(const Statement& statement, int column,
                                                             const std::string& path, ContextPool& pool);

// The groups of `count` samples, one BLOB. Throws StoreError if there are not as many.
[[nodiscard]] std::vector<std::uint64_t> read_groups(const Statement& statement, int column, std::size_t count,
                                                     const std::string& path);

// Two columns: the first bin, and the counts of it and those after it as 64-bit numbers.
void bind_histogram(Statement& statement, int parameter, const ActivationHistogram& histogram);
// Throws StoreError.
[[nodiscard]] ActivationHistogram read_histogram(const Statement& statement, int column, const std::string& path);

// Six columns: active, sum, sum_of_squares, max, nonfinite, negative.
inline constexpr int kStatisticsColumns = 6;
void bind_statistics(Statement& statement, int parameter, const FeatureStatistics& statistics);
// Throws StoreError: a sum or the maximum is not finite, so that its mean would have no place in an order.
[[nodiscard]] FeatureStatistics read_statistics(const Statement& statement, int column, const std::string& path);

// Counts are unsigned here and 64-bit signed in SQLite: the same bits.
[[nodiscard]] inline std::int64_t stored(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}
[[nodiscard]] inline std::uint64_t unstored(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}

}  // namespace saetap

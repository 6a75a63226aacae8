#include "plugin/store/store_format.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace saetap {
namespace {

// BLOBs are little-endian, and so is every machine this is built for: they are copied as they lie in memory.
static_assert(std::endian::native == std::endian::little, "the store's BLOBs need byte swapping on this machine");

template <typename T>
std::vector<T> elements(std::span<const std::byte> bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

}  // namespace

const char* const kCreateStore = R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE site(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, module_type TEXT NOT NULL, method TEXT NOT NULL,
  description TEXT NOT NULL, features INTEGER NOT NULL, d_in INTEGER NOT NULL, d_out INTEGER NOT NULL,
  steps INTEGER NOT NULL, steps_collected INTEGER NOT NULL, rows_seen INTEGER NOT NULL,
  rows_collected INTEGER NOT NULL, rows_excluded INTEGER NOT NULL, rows_resolved INTEGER NOT NULL,
  calls INTEGER NOT NULL, rows_ambiguous INTEGER NOT NULL, token_source TEXT NOT NULL,
  token_stream TEXT NOT NULL) STRICT;
CREATE TABLE decoder(
  site INTEGER NOT NULL, block INTEGER NOT NULL, directions BLOB NOT NULL, PRIMARY KEY(site, block)) STRICT;
CREATE TABLE sequence(
  id INTEGER NOT NULL, segment INTEGER NOT NULL, length INTEGER NOT NULL, tokens BLOB NOT NULL,
  kept INTEGER NOT NULL, PRIMARY KEY(id, segment)) STRICT, WITHOUT ROWID;
CREATE TABLE token(id INTEGER PRIMARY KEY, text BLOB NOT NULL) STRICT;
CREATE TABLE part(
  site INTEGER NOT NULL, part TEXT NOT NULL, window INTEGER NOT NULL, window_first_step INTEGER NOT NULL,
  window_end_step INTEGER NOT NULL, first_step INTEGER NOT NULL, last_step INTEGER NOT NULL,
  eligible INTEGER NOT NULL, PRIMARY KEY(site, part)) STRICT, WITHOUT ROWID;
CREATE TABLE feature(
  site INTEGER NOT NULL, part TEXT NOT NULL, feature INTEGER NOT NULL, active INTEGER NOT NULL, sum REAL NOT NULL,
  sum_of_squares REAL NOT NULL, max REAL NOT NULL, nonfinite INTEGER NOT NULL, negative INTEGER NOT NULL,
  first_bin INTEGER NOT NULL, bins BLOB NOT NULL, PRIMARY KEY(site, part, feature)) STRICT;
CREATE TABLE sample(
  site INTEGER NOT NULL, part TEXT NOT NULL, feature INTEGER NOT NULL,
  activation BLOB NOT NULL, sequence BLOB NOT NULL, position BLOB NOT NULL, step BLOB NOT NULL,
  context_count BLOB NOT NULL, context_offset BLOB NOT NULL, context_activation BLOB NOT NULL,
  alike BLOB NOT NULL, PRIMARY KEY(site, part, feature)) STRICT;
CREATE TABLE random_sample(
  site INTEGER NOT NULL, part TEXT NOT NULL, feature INTEGER NOT NULL,
  activation BLOB NOT NULL, sequence BLOB NOT NULL, position BLOB NOT NULL, step BLOB NOT NULL,
  context_count BLOB NOT NULL, context_offset BLOB NOT NULL, context_activation BLOB NOT NULL,
  PRIMARY KEY(site, part, feature)) STRICT;
CREATE TABLE past_window(
  site INTEGER NOT NULL, window INTEGER NOT NULL, first_step INTEGER NOT NULL, end_step INTEGER NOT NULL,
  eligible INTEGER NOT NULL, PRIMARY KEY(site, window)) STRICT, WITHOUT ROWID;
CREATE TABLE history(
  site INTEGER NOT NULL, window INTEGER NOT NULL, feature INTEGER NOT NULL, active INTEGER NOT NULL, sum REAL NOT NULL,
  sum_of_squares REAL NOT NULL, max REAL NOT NULL, nonfinite INTEGER NOT NULL, negative INTEGER NOT NULL,
  activation BLOB NOT NULL, sequence BLOB NOT NULL, position BLOB NOT NULL, step BLOB NOT NULL,
  context_count BLOB NOT NULL, context_offset BLOB NOT NULL, context_activation BLOB NOT NULL,
  alike BLOB NOT NULL, PRIMARY KEY(site, window, feature)) STRICT;
CREATE TABLE run(
  run_id TEXT PRIMARY KEY, rank INTEGER NOT NULL, ranks INTEGER NOT NULL, launch TEXT NOT NULL, program TEXT NOT NULL,
  started TEXT NOT NULL, saved TEXT NOT NULL, finished INTEGER NOT NULL, steps INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE label(
  site INTEGER NOT NULL, feature INTEGER NOT NULL, source TEXT NOT NULL, text TEXT NOT NULL, score REAL,
  PRIMARY KEY(site, feature, source)) STRICT;
)sql";

const char* const kCreateTokenCounts = R"sql(
CREATE TABLE IF NOT EXISTS token_count(
  site INTEGER NOT NULL, part TEXT NOT NULL, block INTEGER NOT NULL, counts BLOB NOT NULL,
  PRIMARY KEY(site, part, block)) STRICT;
)sql";

const char* part_name(PartKind kind) {
  switch (kind) {
    case PartKind::past:
      return "past";
    case PartKind::closed:
      return "closed";
    case PartKind::open:
      return "open";
  }
  return "";
}

std::string window_rule_text(const WindowRule& rule) {
  switch (rule.kind) {
    case WindowRule::Kind::growing:
      return "auto";
    case WindowRule::Kind::fixed:
      return std::to_string(rule.fixed_steps);
    case WindowRule::Kind::single:
      return "0";
  }
  return "";
}

void SampleColumns::bind(Statement& statement, int parameter, std::span<const Sample> samples) {
  activation_.clear();
  sequence_.clear();
  position_.clear();
  step_.clear();
  context_count_.clear();
  context_offset_.clear();
  context_activation_.clear();
  for (const Sample& sample : samples) {
    const auto around = contexts_.at(sample.context);
    context_count_.push_back(ContextPool::known(sample.context) ? static_cast<std::int32_t>(around.size()) : -1);
    for (const ContextActivation& one : around) {
      context_offset_.push_back(one.offset);
      context_activation_.push_back(one.activation);
    }
    activation_.push_back(sample.activation);
    sequence_.push_back(stored(sample.sequence));
    position_.push_back(sample.position);
    step_.push_back(sample.step);
  }
  statement.bind_blob(parameter, std::as_bytes(std::span(activation_)));
  statement.bind_blob(parameter + 1, std::as_bytes(std::span(sequence_)));
  statement.bind_blob(parameter + 2, std::as_bytes(std::span(position_)));
  statement.bind_blob(parameter + 3, std::as_bytes(std::span(step_)));
  statement.bind_blob(parameter + 4, std::as_bytes(std::span(context_count_)));
  statement.bind_blob(parameter + 5, std::as_bytes(std::span(context_offset_)));
  statement.bind_blob(parameter + 6, std::as_bytes(std::span(context_activation_)));
}

std::vector<Sample> read_samples(const Statement& statement, int column, const std::string& path) {
  const std::span<const std::byte> bytes = statement.blob(column);
  const std::size_t count = bytes.size() / sizeof(float);
  const auto activation = elements<float>(bytes);
  const bool agree = bytes.size() == count * sizeof(float) &&
                     statement.blob(column + 1).size() == count * sizeof(std::int64_t) &&
                     statement.blob(column + 2).size() == count * sizeof(std::uint32_t) &&
                     statement.blob(column + 3).size() == count * sizeof(std::uint32_t);
  if (!agree) throw StoreError(path + ": the store is damaged (sample columns of different lengths)");
  const auto sequence = elements<std::int64_t>(statement.blob(column + 1));
  const auto position = elements<std::uint32_t>(statement.blob(column + 2));
  const auto step = elements<std::uint32_t>(statement.blob(column + 3));
  std::vector<Sample> samples(count);
  for (std::size_t i = 0; i < count; ++i) {
    // NaN has no place in an order: sorting with one in it is undefined.
    if (!std::isfinite(activation[i]))
      throw StoreError(path + ": the store is damaged (a sample that is not a number)");
    samples[i] = {unstored(sequence[i]), activation[i], position[i], step[i]};
  }
  return samples;
}

std::vector<std::optional<std::vector<ContextActivation>>> read_context_activations(const Statement& statement,
                                                                                    int column,
                                                                                    const std::string& path) {
  const auto counts = elements<std::int32_t>(statement.blob(column));
  const auto offsets = elements<std::int32_t>(statement.blob(column + 1));
  const auto activations = elements<float>(statement.blob(column + 2));
  std::vector<std::optional<std::vector<ContextActivation>>> lists(counts.size());
  std::size_t read = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] < 0) continue;
    lists[i].emplace();
    for (std::int32_t n = 0; n < counts[i]; ++n, ++read) {
      const bool sound =
          read < offsets.size() && read < activations.size() && offsets[read] != 0 && std::isfinite(activations[read]);
      if (!sound) throw StoreError(path + ": the store is damaged (activations around a sample)");
      lists[i]->push_back({offsets[read], activations[read]});
    }
  }
  return lists;
}

std::vector<Sample> read_samples_with_contexts(const Statement& statement, int column, const std::string& path,
                                               ContextPool& pool) {
  std::vector<Sample> samples = read_samples(statement, column, path);
  const auto lists = read_context_activations(statement, column + kSampleColumns, path);
  if (lists.size() != samples.size()) {
    throw StoreError(path + ": the store is damaged (sample columns of different lengths)");
  }
  for (std::size_t i = 0; i < samples.size(); ++i)
    samples[i].context = lists[i] ? pool.add(*lists[i]) : kContextNotKnown;
  return samples;
}

std::vector<std::uint64_t> read_groups(const Statement& statement, int column, std::size_t count,
                                       const std::string& path) {
  auto groups = elements<std::uint64_t>(statement.blob(column));
  if (groups.size() != count) throw StoreError(path + ": the store is damaged (which samples are alike)");
  return groups;
}

void bind_histogram(Statement& statement, int parameter, const ActivationHistogram& histogram) {
  statement.bind(parameter, std::int64_t{histogram.first()});
  statement.bind_blob(parameter + 1, std::as_bytes(std::span(histogram.counts())));
}

ActivationHistogram read_histogram(const Statement& statement, int column, const std::string& path) {
  const auto first = statement.integer(column);
  auto counts = elements<std::uint64_t>(statement.blob(column + 1));
  const bool whole = statement.blob(column + 1).size() == counts.size() * sizeof(std::uint64_t);
  // In this order no term overflows.
  if (!whole || counts.size() > kHistogramBins || first < 0 ||
      first > kHistogramBins - static_cast<std::int64_t>(counts.size())) {
    throw StoreError(path + ": the store is damaged (a histogram with impossible bins)");
  }
  return ActivationHistogram::of(static_cast<std::uint32_t>(first), std::move(counts));
}

void bind_statistics(Statement& statement, int parameter, const FeatureStatistics& statistics) {
  statement.bind(parameter, stored(statistics.active))
      .bind(parameter + 1, statistics.sum)
      .bind(parameter + 2, statistics.sum_of_squares)
      .bind(parameter + 3, double{statistics.max})
      .bind(parameter + 4, stored(statistics.nonfinite))
      .bind(parameter + 5, stored(statistics.negative));
}

FeatureStatistics read_statistics(const Statement& statement, int column, const std::string& path) {
  const bool sound = std::isfinite(statement.real(column + 1)) && std::isfinite(statement.real(column + 2)) &&
                     std::abs(statement.real(column + 3)) <= double{std::numeric_limits<float>::max()};
  if (!sound) throw StoreError(path + ": the store is damaged (a sum that is not a number)");
  return {unstored(statement.integer(column)),
          statement.real(column + 1),
          statement.real(column + 2),
          static_cast<float>(statement.real(column + 3)),
          unstored(statement.integer(column + 4)),
          unstored(statement.integer(column + 5))};
}

}  // namespace saetap

#include "plugin/store/merged_parts.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "plugin/store/store_format.h"
#include "plugin/store/token_rows.h"

namespace saetap {
namespace {

// One window in the history of one input, feature by feature.
class HistoryRows {
 public:
  HistoryRows(const Database& database, int site, std::uint64_t window, bool with_groups)
      : path_(database.path()),
        with_groups_(with_groups),
        select_(database.prepare(
            "SELECT feature, active, sum, sum_of_squares, max, nonfinite, negative, activation, sequence, position, "
            "step, context_count, context_offset, context_activation, alike FROM history WHERE site = ? AND window = ? "
            "ORDER BY feature")) {
    select_.bind(0, std::int64_t{site}).bind(1, stored(window));
    there_ = select_.step();
  }

  // Asked by ascending feature; nothing if it did nothing in this window.
  std::optional<FeatureRows> read(std::uint32_t feature, ContextPool& contexts) {
    constexpr int kSamples = 1 + kStatisticsColumns;
    while (there_ && select_.integer(0) < feature) there_ = select_.step();
    if (!there_ || select_.integer(0) != feature) return std::nullopt;
    FeatureRows rows;
    rows.statistics = read_statistics(select_, 1, path_);
    rows.samples = read_samples_with_contexts(select_, kSamples, path_, contexts);
    if (with_groups_) rows.groups = read_groups(select_, kSamples + kAlikeColumn, rows.samples.size(), path_);
    return rows;
  }

 private:
  std::string path_;
  bool with_groups_;
  Statement select_;
  bool there_ = false;
};

void release_all(const std::vector<FeatureRows>& all, ContextPool& contexts) {
  for (const FeatureRows& rows : all) release_contexts(rows, contexts);
}

}  // namespace

MergedParts::MergedParts(Database& merged, const MergedSite& site, const KeptLimits& limits, MergedText& text,
                         Tick tick)
    : merged_(merged), site_(site), limits_(limits), text_(text), tick_(std::move(tick)) {
  std::vector<Contribution> all;
  for (const MergedSite::Source& source : site.sources) {
    for (const PartKind kind : {PartKind::past, PartKind::closed, PartKind::open}) {
      const auto row = read_part_row(source.input->database, source.stored->site.id, kind);
      if (row) all.push_back({&source, kind, *row});
    }
    add_history(source);
  }
  sort_parts(std::move(all));
}

void MergedParts::add_history(const MergedSite::Source& source) {
  Statement select =
      source.input->database.prepare("SELECT window, first_step, end_step, eligible FROM past_window WHERE site = ?");
  select.bind(0, std::int64_t{source.stored->site.id});
  while (select.step()) {
    PastWindow& past = history_[unstored(select.integer(0))];
    past.window = {unstored(select.integer(0)), unstored(select.integer(1)), unstored(select.integer(2))};
    past.eligible += unstored(select.integer(3));
    past.history.push_back(&source);
  }
}

void MergedParts::sort_parts(std::vector<Contribution> all) {
  const auto number = [](const Contribution& one) { return one.row.window.number; };
  // A part in which nothing was collected is only the place for what never came.
  std::stable_partition(all.begin(), all.end(), [](const Contribution& one) { return one.row.eligible != 0; });
  const auto empty = std::find_if(all.begin(), all.end(), [](const auto& one) { return one.row.eligible == 0; });
  if (empty == all.begin() && empty != all.end()) parts_[PartKind::open] = {all.front()};
  all.erase(empty, all.end());

  std::uint64_t open = 0;
  std::optional<std::uint64_t> closed;
  for (const Contribution& one : all) open = std::max(open, number(one));
  for (const Contribution& one : all) {
    if (one.kind != PartKind::past && number(one) < open) closed = std::max(closed.value_or(0), number(one));
  }
  for (const Contribution& one : all) {
    if (one.kind != PartKind::past && number(one) == open) {
      parts_[PartKind::open].push_back(one);
    } else if (one.kind != PartKind::past && number(one) == closed) {
      parts_[PartKind::closed].push_back(one);
    } else {
      parts_[PartKind::past].push_back(one);
      if (one.kind == PartKind::past) continue;  // its windows are history in its own store
      PastWindow& past = history_[number(one)];
      past.window = one.row.window;
      past.eligible += one.row.eligible;
      past.parts.push_back(one);
    }
  }
}

void MergedParts::write() {
  for (const PartKind kind : {PartKind::past, PartKind::closed, PartKind::open}) write_part(kind);
  for (const auto& [number, past] : history_) write_history(past);
}

void MergedParts::write_part(PartKind kind) {
  const std::vector<Contribution>& parts = parts_[kind];
  if (parts.empty()) return;
  ContextPool contexts;
  std::vector<PartRow> rows;
  std::vector<FeatureReader> readers;
  for (const Contribution& part : parts) {
    rows.push_back(part.row);
    readers.emplace_back(part.source->input->database, part.source->stored->site.id, part.kind);
  }
  write_part_row(merged_, site_.site.id, kind, join_parts(rows));
  write_tokens(kind);
  FeatureWriter writer(merged_, site_.site.id, kind, contexts);
  const std::int64_t kept = kind == PartKind::open ? 0 : kKeptForParts;
  std::vector<FeatureRows> of_feature;
  for (std::uint32_t feature = 0; feature < site_.site.features; ++feature) {
    tick_();
    of_feature.clear();
    for (FeatureReader& reader : readers) {
      of_feature.push_back(reader.read(feature, limits_.most_alike != 0, contexts));
    }
    const FeatureRows all = merge_rows(of_feature, limits_, contexts);
    writer.write(feature, all);
    text_.need(all.samples, kept);
    text_.need(all.random_samples, kept);
    release_all(of_feature, contexts);
  }
}

void MergedParts::write_tokens(PartKind kind) {
  TokenCounts counts;
  for (const Contribution& part : parts_[kind]) {
    add_token_counts(part.source->input->database, part.source->stored->site.id, part.kind, counts);
  }
  write_token_counts(merged_, site_.site.id, kind, counts, true);
}

void MergedParts::write_history(const PastWindow& past) {
  const bool with_groups = limits_.most_alike != 0;
  ContextPool contexts;
  std::vector<HistoryRows> histories;
  std::vector<FeatureReader> parts;
  for (const MergedSite::Source* source : past.history) {
    histories.emplace_back(source->input->database, source->stored->site.id, past.window.number, with_groups);
  }
  for (const Contribution& part : past.parts) {
    parts.emplace_back(part.source->input->database, part.source->stored->site.id, part.kind);
  }
  HistoryWriter writer(merged_, site_.site.id, past.window, past.eligible, contexts);
  const auto most = std::min(limits_.samples, static_cast<std::uint32_t>(kHistorySamples));
  const KeptLimits limits{most, 0, limits_.most_alike};
  std::vector<FeatureRows> of_feature;
  for (std::uint32_t feature = 0; feature < site_.site.features; ++feature) {
    tick_();
    of_feature.clear();
    for (HistoryRows& history : histories) {
      auto rows = history.read(feature, contexts);
      if (rows) of_feature.push_back(std::move(*rows));
    }
    for (FeatureReader& part : parts) of_feature.push_back(part.read(feature, with_groups, contexts));
    const FeatureRows all = merge_rows(of_feature, limits, contexts);
    if (all.statistics != FeatureStatistics{}) {
      writer.write(feature, all.statistics, all.samples, all.groups);
      text_.need(all.samples, kKeptForHistory);
    }
    release_all(of_feature, contexts);
  }
}

}  // namespace saetap

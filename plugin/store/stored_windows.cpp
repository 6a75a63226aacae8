#include "plugin/store/stored_windows.h"

#include "plugin/store/opened_file.h"
#include "plugin/store/part_rows.h"
#include "plugin/store/store_format.h"

namespace saetap {
namespace {

// Another one once somebody else has written to the file.
std::int64_t version_of(const Database& database) {
  Statement select = database.prepare("PRAGMA data_version");
  return select.step() ? select.integer(0) : 0;
}

}  // namespace

StoredWindows::StoredWindows(const std::string& path)
    : database_(open_to_read(store_path(path))),
      version_(version_of(database_)),
      statistics_(database_.prepare("SELECT active, sum, sum_of_squares, max, nonfinite, negative FROM feature WHERE "
                                    "site = ? AND part = ? AND feature = ?")),
      samples_(database_.prepare("SELECT activation, sequence, position, step FROM sample WHERE site = ? AND part = ? "
                                 "AND feature = ?")),
      random_samples_(database_.prepare("SELECT activation, sequence, position, step FROM random_sample WHERE site = ? "
                                        "AND part = ? AND feature = ?")),
      history_(database_.prepare("SELECT active, sum, sum_of_squares, max, nonfinite, negative, activation, sequence, "
                                 "position, step FROM history WHERE site = ? AND window = ? AND feature = ?")) {}

std::vector<StoredWindow> StoredWindows::of(int site) const {
  std::vector<StoredWindow> windows;
  Statement select = database_.prepare(
      "SELECT window, first_step, end_step, eligible FROM past_window WHERE site = ? ORDER BY window");
  select.bind(0, std::int64_t{site});
  while (select.step()) {
    const Window window{unstored(select.integer(0)), unstored(select.integer(1)), unstored(select.integer(2))};
    const std::uint64_t last = window.end_step > window.first_step ? window.end_step - 1 : window.first_step;
    windows.push_back({std::nullopt, window, window.first_step, last, unstored(select.integer(3))});
  }
  for (const PartKind kind : {PartKind::past, PartKind::closed, PartKind::open}) {
    const std::optional<PartRow> row = read_part_row(database_, site, kind);
    if (row) windows.push_back({kind, row->window, row->first_step, row->last_step, row->eligible});
  }
  std::erase_if(windows, [](const StoredWindow& window) { return window.eligible == 0; });
  return windows;
}

KeptOfFeature StoredWindows::read(int site, const StoredWindow& window, std::uint32_t feature) {
  const std::string& path = database_.path();
  KeptOfFeature kept;
  if (!window.part) {
    history_.reset();  // a damaged row before may have ended the last use early
    history_.bind(0, std::int64_t{site}).bind(1, stored(window.window.number)).bind(2, std::int64_t{feature});
    while (history_.step()) {
      kept.statistics = read_statistics(history_, 0, path);
      kept.samples = read_samples(history_, kStatisticsColumns, path);
    }
    return kept;
  }
  for (Statement* select : {&statistics_, &samples_, &random_samples_}) {
    select->reset();
    select->bind(0, std::int64_t{site}).bind(1, std::string_view(part_name(*window.part)));
    select->bind(2, std::int64_t{feature});
  }
  while (statistics_.step()) kept.statistics = read_statistics(statistics_, 0, path);
  while (samples_.step()) kept.samples = read_samples(samples_, 0, path);
  while (random_samples_.step()) kept.random_samples = read_samples(random_samples_, 0, path);
  return kept;
}

std::vector<FeatureStatistics> StoredWindows::statistics(const Site& site, const StoredWindow& window) const {
  Statement select = database_.prepare(
      window.part ? "SELECT feature, active, sum, sum_of_squares, max, nonfinite, negative FROM feature WHERE site = ? "
                    "AND part = ?"
                  : "SELECT feature, active, sum, sum_of_squares, max, nonfinite, negative FROM history WHERE site = ? "
                    "AND window = ?");
  select.bind(0, std::int64_t{site.id});
  if (window.part) {
    select.bind(1, std::string_view(part_name(*window.part)));
  } else {
    select.bind(1, stored(window.window.number));
  }
  std::vector<FeatureStatistics> all(static_cast<std::size_t>(site.features));
  while (select.step()) {
    const std::uint64_t feature = unstored(select.integer(0));
    if (feature >= all.size()) {
      throw StoreError(database_.path() + ": the store is damaged (a feature the site does not have)");
    }
    all[feature] = read_statistics(select, 1, database_.path());
  }
  return all;
}

bool StoredWindows::changed() const {
  return version_of(database_) != version_;
}

}  // namespace saetap

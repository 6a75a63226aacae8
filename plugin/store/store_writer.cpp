#include "plugin/store/store_writer.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include <sqlite3.h>

#include "plugin/store/checkpoint_transaction.h"
#include "plugin/store/store_files.h"
#include "plugin/store/store_format.h"
#include "plugin/store/window_shift.h"

namespace saetap {
namespace {

std::string format_float(float value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", static_cast<double>(value));  // nine digits bring every float back
  return text;
}

}  // namespace

StoreWriter::StoreWriter(std::string path, RunHeader header) : path_(std::move(path)), header_(std::move(header)) {}

void StoreWriter::save(const SampleCollector& collector, const CheckpointEvent& event) {
  std::optional<StoreStamp> found = read_stamp(path_);
  if (found && checkpoints_ > 0 && found->run_id != header_.run_id) {
    // Another living run has taken the name. Moving its file aside would have both do so at every checkpoint.
    const std::filesystem::path taken(path_);
    path_ =
        (taken.parent_path() / (taken.stem().string() + "-" + header_.run_id + taken.extension().string())).string();
    found = read_stamp(path_);
  }
  const bool ours = found && found->run_id == header_.run_id && !unsound_ && is_ours(*found, collector);
  if (ours) {
    checkpoints_ = found->checkpoint;
  } else {
    // What a save that failed then left behind is nothing to name.
    const auto moved = move_aside(path_, found);
    if (!moved.empty()) moved_aside_ = moved;
    create_empty(path_);
    lost_before_ = only_stored_before_;
  }
  try {
    write(collector, event, !ours);
  } catch (const SqliteError& error) {
    constexpr int kPrimary = 0xFF;
    const int code = error.code() & kPrimary;
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) unsound_ = true;
    throw;
  }
  unsound_ = false;
  ++checkpoints_;
  missing_before_ = ours ? 0 : only_stored_before_;
  for (const auto& [id, collection] : collector.sites()) {
    if (collection.part(PartKind::closed) == nullptr) continue;
    only_stored_before_ = std::max(only_stored_before_, collection.part(PartKind::open)->window.first_step);
  }
}

// A disk can report an error for what it did: the file is one checkpoint further than we know. It is taken up again,
// unless what memory has cannot be told any more from what is there already.
bool StoreWriter::is_ours(const StoreStamp& found, const SampleCollector& collector) const {
  if (found.checkpoint == checkpoints_) return checkpoints_ > 0;
  if (found.checkpoint != checkpoints_ + 1) return false;
  const Database database(path_, Database::Mode::read_only);
  return std::all_of(collector.sites().begin(), collector.sites().end(),
                     [&](const auto& entry) { return can_be_shifted(database, entry.second); });
}

void StoreWriter::write(const SampleCollector& collector, const CheckpointEvent& event, bool whole) const {
  Database database(path_, Database::Mode::read_write);
  prepare_for_writing(database, whole);
  Transaction transaction(database);
  if (whole) create_tables(database);
  write_meta(database, collector, event.last);
  CheckpointTransaction(database, collector, whole, header_.redact).write(event);
  transaction.commit();
}

void StoreWriter::write_meta(Database& database, const SampleCollector& collector, bool finished) const {
  Statement insert = database.prepare("INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)");
  const auto put = [&](std::string_view key, std::string_view value) { insert.bind(0, key).bind(1, value).run(); };
  const CollectorOptions& options = collector.asked();
  const CollectorOptions& in_force = collector.options();
  put("run_id", header_.run_id);
  put("checkpoint", std::to_string(checkpoints_ + 1));
  put("saetap_version", SAETAP_VERSION);
  put("libtorch_version", header_.libtorch_version);
  put("program", header_.program);
  put("started", header_.started);
  put("saved", utc_now());
  put("finished", finished ? "1" : "0");
  put("tokenizer", header_.tokenizer);
  put("redact", name_of(header_.redact));
  put("max_samples_per_feature", std::to_string(options.max_samples_per_feature));
  put("random_samples_per_feature", std::to_string(options.random_samples_per_feature));
  put("kept_samples_per_feature", std::to_string(in_force.max_samples_per_feature));
  put("kept_random_samples_per_feature", std::to_string(in_force.random_samples_per_feature));
  put("lost_before", std::to_string(lost_before_));
  put("max_memory_mb", std::to_string(options.most_bytes >> 20));
  const bool by_sequence = options.limit.alike == SampleLimit::Alike::same_sequence;
  put("max_samples_per_sequence", std::to_string(by_sequence ? options.limit.most : 0));
  put("collapse_near_duplicates", options.limit.alike == SampleLimit::Alike::same_text ? "1" : "0");
  put("sample_context_size", std::to_string(options.sample_context_size));
  put("sample_activation_threshold", format_float(options.sample_activation_threshold));
  put("sample_window_steps", window_rule_text(options.window_rule));
  put("sample_collection_freq", std::to_string(header_.sample_collection_freq));
}

}  // namespace saetap

#include "plugin/store/store_writer.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include <sqlite3.h>

#include "plugin/store/checkpoint_transaction.h"
#include "plugin/store/store_files.h"
#include "plugin/store/store_format.h"
#include "plugin/store/store_tables.h"

namespace saetap {
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
  const bool ours =
      found && checkpoints_ > 0 && found->run_id == header_.run_id && found->checkpoint == checkpoints_ && !unsound_;
  if (!ours) {
    // What a save that failed then left behind is nothing to name.
    const auto moved = move_aside(path_, found);
    if (!moved.empty()) moved_aside_ = moved;
    create_empty(path_);
  }
  if (!ours) lost_before_ = only_stored_before_;
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

void StoreWriter::write(const SampleCollector& collector, const CheckpointEvent& event, bool whole) const {
  Database database(path_, Database::Mode::read_write);
  prepare_for_writing(database, whole);
  Transaction transaction(database);
  if (whole) create_tables(database);
  write_facts(database, collector, event);
  CheckpointTransaction(database, collector, whole).write(event);
  transaction.commit();
}

void StoreWriter::write_facts(Database& database, const SampleCollector& collector,
                              const CheckpointEvent& event) const {
  const CollectorOptions& asked = collector.asked();
  const CollectorOptions& in_force = collector.options();
  RunFacts run;
  run.run_id = header_.run_id;
  run.checkpoint = checkpoints_ + 1;
  run.saetap_version = SAETAP_VERSION;
  run.libtorch_version = header_.libtorch_version;
  run.program = header_.program;
  run.started = header_.started;
  run.saved = utc_now();
  run.finished = event.last;
  run.tokenizer = header_.tokenizer;
  run.max_samples_per_feature = asked.max_samples_per_feature;
  run.random_samples_per_feature = asked.random_samples_per_feature;
  run.kept_samples_per_feature = in_force.max_samples_per_feature;
  run.kept_random_samples_per_feature = in_force.random_samples_per_feature;
  run.max_samples_per_sequence = asked.limit.alike == SampleLimit::Alike::same_sequence ? asked.limit.most : 0;
  run.collapse_near_duplicates = asked.limit.alike == SampleLimit::Alike::same_text;
  run.sample_context_size = asked.sample_context_size;
  run.sample_activation_threshold = asked.sample_activation_threshold;
  run.sample_collection_freq = header_.sample_collection_freq;
  run.sample_window_steps = window_rule_text(asked.window_rule);
  run.max_memory_mb = asked.most_bytes >> 20;
  run.lost_before = lost_before_;
  write_run_facts(database, run);

  const auto& [rank, ranks, launch] = header_.rank;
  std::uint64_t steps = 0;
  for (const auto& [id, collection] : collector.sites()) {
    if (event.counts) steps = std::max(steps, event.counts(*collection.site).steps);
  }
  write_run(database, {run.run_id, rank, ranks, launch, run.program, run.started, run.saved, run.finished, steps});
}

}  // namespace saetap

#include "plugin/store/store_writer.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include <sqlite3.h>

#include "plugin/store/checkpoint_transaction.h"
#include "plugin/store/part_rows.h"
#include "plugin/store/store_files.h"
#include "plugin/store/store_format.h"
#include "plugin/store/store_tables.h"
#include "plugin/store/stored_sequences.h"
#include "plugin/store/token_rows.h"
#include "plugin/store/window_shift.h"

namespace saetap {

StoreWriter::StoreWriter(std::string path, RunHeader header) : path_(std::move(path)), header_(std::move(header)) {}

void StoreWriter::go_on(const StoreStamp& found) {
  Database database(path_, Database::Mode::read_write);
  prepare_for_writing(database, false);
  Transaction transaction(database);
  RunFacts facts = read_run_facts(database);
  if (facts.run_id != found.run_id || facts.checkpoint != found.checkpoint) {
    throw StoreError(path_ + ": another run has taken it meanwhile");
  }
  facts.run_id = header_.run_id;
  facts.finished = false;
  write_run_facts(database, facts);
  write_run(database, run(header_.started, false, 0));
  create_token_counts(database);
  const std::vector<StoredSite> sites = read_sites(database);
  for (const StoredSite& site : sites) drop_wrong_token_counts(database, site.site.id);
  // No site is in memory yet: text that only their open windows need must not go with another site's.
  StoredSequences(database, facts.sample_context_size).count_parts(SequencePool(facts.sample_context_size), {});
  transaction.commit();
  checkpoints_ = found.checkpoint;
  lost_before_ = facts.lost_before;
  for (const StoredSite& site : sites) {
    const auto open = read_part_row(database, site.site.id, PartKind::open);
    if (open && site.recent.first_step < open->first_step) {
      only_stored_before_ = std::max(only_stored_before_, open->window.first_step);
    }
  }
}

void StoreWriter::begin_anew(std::uint64_t step) {
  unsound_ = true;
  only_stored_before_ = std::max(only_stored_before_, step);
}

void StoreWriter::save(const SampleCollector& collector, const CheckpointEvent& event) {
  std::optional<StoreStamp> found = read_stamp(path_);
  if (checkpoints_ > 0 && (!found || found->run_id != header_.run_id)) {
    // What this one moved itself, because it was not sound, is not meant.
    const auto aside = unsound_ ? std::nullopt : find_aside(path_, header_.run_id, checkpoints_);
    if (aside && *aside != moved_aside_) {
      // Another run wanted the name, and did not know that this one lives.
      path_ = *aside;
      found = read_stamp(path_);
    } else if (found) {
      // Another living run has taken the name. Moving its file aside would have both do so at every checkpoint.
      const std::filesystem::path taken(path_);
      path_ =
          (taken.parent_path() / (taken.stem().string() + "-" + header_.run_id + taken.extension().string())).string();
      found = read_stamp(path_);
    }
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
  unsound_ = site_taken_up_ = false;
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
  write_facts(database, collector, event);
  using Tables = CheckpointTransaction::Tables;
  const Tables tables = whole ? Tables::empty : site_taken_up_ ? Tables::site_taken_up : Tables::as_saved;
  CheckpointTransaction(database, collector, tables, header_.redact).write(event);
  transaction.commit();
}

void StoreWriter::write_facts(Database& database, const SampleCollector& collector,
                              const CheckpointEvent& event) const {
  const CollectorOptions& asked = collector.asked();
  const CollectorOptions& in_force = collector.options();
  RunFacts facts;
  facts.run_id = header_.run_id;
  facts.checkpoint = checkpoints_ + 1;
  facts.saetap_version = SAETAP_VERSION;
  facts.libtorch_version = header_.libtorch_version;
  facts.program = header_.program;
  facts.started = header_.started;
  facts.saved = utc_now();
  facts.finished = event.last;
  facts.tokenizer = header_.tokenizer;
  facts.redact = name_of(header_.redact);
  facts.counted = header_.counted;
  facts.max_samples_per_feature = asked.max_samples_per_feature;
  facts.random_samples_per_feature = asked.random_samples_per_feature;
  facts.kept_samples_per_feature = in_force.max_samples_per_feature;
  facts.kept_random_samples_per_feature = in_force.random_samples_per_feature;
  facts.max_samples_per_sequence = asked.limit.alike == SampleLimit::Alike::same_sequence ? asked.limit.most : 0;
  facts.collapse_near_duplicates = asked.limit.alike == SampleLimit::Alike::same_text;
  facts.sample_context_size = asked.sample_context_size;
  facts.sample_activation_threshold = asked.sample_activation_threshold;
  facts.sample_collection_freq = header_.sample_collection_freq;
  facts.sample_window_steps = window_rule_text(asked.window_rule);
  facts.max_memory_mb = asked.most_bytes >> 20;
  facts.lost_before = lost_before_;
  write_run_facts(database, facts);

  std::uint64_t steps = 0;
  for (const auto& [id, collection] : collector.sites()) {
    if (event.counts) steps = std::max(steps, event.counts(*collection.site).steps);
  }
  write_run(database, run(facts.saved, facts.finished, steps));
}

StoredRun StoreWriter::run(const std::string& saved, bool finished, std::uint64_t steps) const {
  const auto& [rank, ranks, launch] = header_.rank;
  return {header_.run_id, rank, ranks, launch, header_.program, header_.started, saved, finished, steps};
}

}  // namespace saetap

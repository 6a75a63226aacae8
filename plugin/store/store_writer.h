// Writing the store: one SQLite file, one transaction per checkpoint. See docs/file_format.md.
#pragma once

#include <cstdint>
#include <string>

#include "plugin/collect/sample_collector.h"
#include "plugin/config.h"
#include "plugin/store/ranks.h"
#include "plugin/store/sqlite.h"
#include "plugin/store/store_files.h"
#include "plugin/store/store_reader.h"

namespace saetap {

// Facts of the run that the collector does not know.
struct RunHeader {
  std::string run_id;  // random, names the run
  std::string libtorch_version;
  std::string program;
  std::string started;    // UTC, ISO 8601
  std::string tokenizer;  // absolute path, may be empty
  std::uint64_t sample_collection_freq = 1;
  Redact redact = Redact::nothing;
  std::string counted{};  // see RunFacts
  RankOfRun rank{};
};

// Writes checkpoints of one run into one file. If the file already holds another run, that file is moved aside first
// (samples.saetap -> samples-<time it was saved>.saetap): nothing is lost. The file is opened for each checkpoint and
// closed again, so that nothing is held across fork or a removed folder; if it is gone, unsound or not as left,
// everything in memory is written anew. If another run moved it aside, it is found there and gone on with; if another
// living run has taken it over, this one goes on as samples-<run id>.saetap.
class StoreWriter {
 public:
  StoreWriter(std::string path, RunHeader header);

  // Takes over what is there, the store of an earlier run (or an earlier process of this one), to go on with it: it is
  // this run's from now on, and whoever still writes it finds that out. Before the first save. Throws StoreError: it is
  // not there as `found` says it is, or cannot be written.
  void go_on(const StoreStamp& found);
  // A site of the earlier run is in memory now, and written as the others are.
  void took_up_site() { site_taken_up_ = true; }
  // It cannot be gone on with after all: the next save moves it aside, and writes all that is in memory. What steps
  // before this one kept is only there.
  void begin_anew(std::uint64_t step);

  // Throws StoreError. The file then still holds the previous checkpoint.
  void save(const SampleCollector& collector, const CheckpointEvent& event);

  // Where the latest checkpoint is.
  [[nodiscard]] const std::string& path() const { return path_; }
  // Where another run's store went that had our name; "" if there was none.
  [[nodiscard]] const std::string& moved_aside() const { return moved_aside_; }
  // Steps before this one are missing in what the latest checkpoint wrote, because they had left memory for a file that
  // is gone or was replaced since; 0: none.
  [[nodiscard]] std::uint64_t missing_before() const { return missing_before_; }

 private:
  // Whether a file of this run holds what we think it does.
  [[nodiscard]] bool is_ours(const StoreStamp& found, const SampleCollector& collector) const;
  // `whole`: into an empty file.
  void write(const SampleCollector& collector, const CheckpointEvent& event, bool whole) const;
  void write_facts(Database& database, const SampleCollector& collector, const CheckpointEvent& event) const;
  // This process's own run, `steps` after its start.
  [[nodiscard]] StoredRun run(const std::string& saved, bool finished, std::uint64_t steps) const;

  std::string path_;
  std::string moved_aside_;
  RunHeader header_;
  bool site_taken_up_ = false;            // since the latest save
  bool unsound_ = false;                  // a save found that the file cannot be read any more
  std::uint64_t checkpoints_ = 0;         // in the file, as far as we know
  std::uint64_t only_stored_before_ = 0;  // steps before this one are in no memory any more
  std::uint64_t missing_before_ = 0;
  std::uint64_t lost_before_ = 0;  // the same, of all checkpoints in the file
};

}  // namespace saetap

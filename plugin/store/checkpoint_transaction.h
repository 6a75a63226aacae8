// What one checkpoint changes in the tables. Runs inside the writer's transaction.
#pragma once

#include "plugin/collect/sample_collector.h"
#include "plugin/store/sqlite.h"
#include "plugin/store/stored_sequences.h"

namespace saetap {

class CheckpointTransaction {
 public:
  // `all`: the tables are empty. Otherwise they are as the collector's latest save left them, and only what changed
  // since is written.
  CheckpointTransaction(Database& database, const SampleCollector& collector, bool all)
      : database_(database),
        collector_(collector),
        all_(all),
        sequences_(database, collector.options().sample_context_size) {}

  // Throws StoreError.
  void write(const CheckpointEvent& event);

 private:
  void write_decoder(const Site& site, const HalfMatrix& directions);
  void write_part(const Site& site, PartKind kind, const Part& part);
  void write_history(const SiteCollection& collection);
  void write_token_texts(const TokenText& text_of);

  Database& database_;
  const SampleCollector& collector_;
  bool all_;
  StoredSequences sequences_;
};

}  // namespace saetap

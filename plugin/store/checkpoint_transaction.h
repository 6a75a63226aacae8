// What one checkpoint changes in the tables. Runs inside the writer's transaction.
#pragma once

#include "plugin/collect/sample_collector.h"
#include "plugin/config.h"
#include "plugin/store/sqlite.h"
#include "plugin/store/stored_sequences.h"

namespace saetap {

class CheckpointTransaction {
 public:
  // `all`: the tables are empty. Otherwise they are as the collector's latest save left them, and only what changed
  // since is written. `redact`: what is left out of the text.
  CheckpointTransaction(Database& database, const SampleCollector& collector, bool all, Redact redact)
      : database_(database),
        collector_(collector),
        all_(all),
        redact_(redact),
        sequences_(database, collector.options().sample_context_size) {}

  // Throws StoreError.
  void write(const CheckpointEvent& event);

 private:
  void write_site(const Site& site, const CheckpointEvent& event);
  void write_decoder(const Site& site, const HalfMatrix& directions);
  void write_part(const Site& site, PartKind kind, const Part& part);
  void write_history(const SiteCollection& collection);
  void write_token_texts(const TokenText& text_of);

  Database& database_;
  const SampleCollector& collector_;
  bool all_;
  Redact redact_;
  StoredSequences sequences_;
};

}  // namespace saetap

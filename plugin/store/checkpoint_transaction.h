// What one checkpoint changes in the tables. Runs inside the writer's transaction.
#pragma once

#include <cstdint>

#include "plugin/collect/sample_collector.h"
#include "plugin/config.h"
#include "plugin/store/sqlite.h"
#include "plugin/store/stored_sequences.h"

namespace saetap {

class CheckpointTransaction {
 public:
  // What the tables hold: nothing; or all as the collector's latest save left it, so that only what changed since is
  // written; or besides, that a site of an earlier run which is in them has been taken up since. `redact`: what is left
  // out of the text.
  enum class Tables : std::uint8_t { empty, as_saved, site_taken_up };
  CheckpointTransaction(Database& database, const SampleCollector& collector, Tables tables, Redact redact)
      : database_(database),
        collector_(collector),
        all_(tables == Tables::empty),
        recount_(tables == Tables::site_taken_up),
        redact_(redact),
        sequences_(database, collector.options().sample_context_size) {}

  // Throws StoreError.
  void write(const CheckpointEvent& event);

 private:
  void write_decoder(const Site& site, const HalfMatrix& directions);
  void write_part(const Site& site, PartKind kind, const Part& part);
  void write_history(const SiteCollection& collection);
  [[nodiscard]] SequencePool::PinCounts pins_that_leave() const;
  void write_token_texts(const TokenText& text_of);

  Database& database_;
  const SampleCollector& collector_;
  bool all_;
  bool recount_;  // which text the parts need
  Redact redact_;
  StoredSequences sequences_;
};

}  // namespace saetap

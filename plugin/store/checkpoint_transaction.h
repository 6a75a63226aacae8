// What one checkpoint changes in the tables. Runs inside the writer's transaction.
#pragma once

#include <cstdint>
#include <vector>

#include "plugin/collect/sample_collector.h"
#include "plugin/store/sqlite.h"

namespace saetap {

class CheckpointTransaction {
 public:
  CheckpointTransaction(Database& database, const SampleCollector& collector)
      : database_(database), collector_(collector) {}

  void write(const CheckpointEvent& event);

 private:
  void write_site(const Site& site, const CheckpointEvent& event);
  void write_decoder(const Site& site, const HalfMatrix& directions);
  void write_parts(const SiteCollection& collection);
  void write_features(const Site& site, PartKind kind, const Part& part);
  void write_history(const SiteCollection& collection);
  void write_sequences();
  void write_token_texts(const TokenText& text_of);
  [[nodiscard]] bool is_stored(const Site& site, PartKind kind, const Part& part);
  [[nodiscard]] std::vector<SegmentKey> history_segments() const;

  Database& database_;
  const SampleCollector& collector_;
};

}  // namespace saetap

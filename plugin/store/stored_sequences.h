// The table of sequences at a checkpoint: only what changed is written.
#pragma once

#include <cstdint>
#include <span>

#include "plugin/collect/sample.h"
#include "plugin/collect/sequence_pool.h"
#include "plugin/store/sqlite.h"

namespace saetap {

// Inside a transaction, in this order. Throws StoreError.
class StoredSequences {
 public:
  // `context`: tokens to each side of a sample that are kept.
  StoredSequences(Database& database, std::uint32_t context) : database_(database), context_(context) {}

  // Segments whose tokens the pool knows and the table has not. `all`: the table is empty.
  void add_new(const SequencePool& pool, bool all);
  // The segments around these samples stay for the table of history.
  void keep_for_history(std::span<const Sample> samples);
  // Which segments past and closed parts need, read from them, and the open ones of sites that are not in memory (any
  // that is not in `in_memory`): needed where a window closed, or a run goes on. `leaving`: the pins of what leaves
  // memory with this checkpoint, for which the table's own rows speak.
  void count_parts(const SequencePool& pool, std::span<const int> in_memory,
                   const SequencePool::PinCounts& leaving = {});
  // What the pool dropped since the last checkpoint, unless others need it.
  void remove_dropped(const SequencePool& pool);

 private:
  Database& database_;
  std::uint32_t context_;
};

}  // namespace saetap

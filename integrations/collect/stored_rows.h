// Rows that were stored in files beforehand.
#pragma once

#include <memory>
#include <set>

#include "integrations/collect/row_source.h"
#include "integrations/tensors/shards.h"

namespace saetap::collect {

// With tokens, each row is that of the next token that has one. `widths`: of rows that the SAE takes; empty: not known.
// Throws cli::Failure.
[[nodiscard]] std::unique_ptr<RowSource> stored_rows(const tensors::ShardRequest& request,
                                                     const std::set<std::int64_t>& widths);

}  // namespace saetap::collect

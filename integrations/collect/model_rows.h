// Rows that a language model computes from tokens.
#pragma once

#include <memory>
#include <set>

#include "integrations/collect/collect_request.h"
#include "integrations/collect/row_source.h"

namespace saetap::collect {

// Loads the model and looks at every token. `widths`: of rows that the SAE takes; empty: not known. Throws
// cli::Failure.
[[nodiscard]] std::unique_ptr<RowSource> model_rows(const CollectRequest& request, std::int64_t sequences,
                                                    const std::set<std::int64_t>& widths);

}  // namespace saetap::collect

// A sample on a terminal: the activating token marked, each token shaded by how active the feature was there.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "integrations/analysis/feature_facts.h"
#include "integrations/cli/colors.h"

namespace saetap::cli {

// As `marked` of the excerpt, in colours: as wide as it. `columns`: nothing shows all. `largest`: the magnitude that
// has the full colour.
[[nodiscard]] std::string shaded_excerpt(const ShownSample& sample, std::optional<std::size_t> columns, float largest,
                                         const Colors& colors);

}  // namespace saetap::cli

// How large a feature's activations are, as a picture of a few lines.
#pragma once

#include <string>
#include <vector>

#include "plugin/scan/activation_histogram.h"

namespace saetap::cli {

// Whether the locale's characters are UTF-8, as LC_ALL, LC_CTYPE and LANG say.
[[nodiscard]] bool locale_has_utf8();

// Columns over a logarithmic axis of magnitudes, labelled; at the left the share of the values in the highest column.
// `blocks`: of block characters, an eighth of a line exact, else of '#'. A column that is not empty shows. Empty
// without values.
[[nodiscard]] std::vector<std::string> histogram_lines(const ActivationHistogram& histogram, bool blocks);

}  // namespace saetap::cli

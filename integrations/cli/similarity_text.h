// Similarities from -1 to 1 as text.
#pragma once

#include <optional>
#include <string>

namespace saetap::cli {

// "0.913"; "–" for one that is not known.
[[nodiscard]] std::string similarity_text(std::optional<double> similarity);

}  // namespace saetap::cli

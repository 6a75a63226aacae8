#include "integrations/cli/similarity_text.h"

#include <array>
#include <cstdio>

namespace saetap::cli {

std::string similarity_text(std::optional<double> similarity) {
  if (!similarity) return "–";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3f", *similarity);
  return text.data();
}

}  // namespace saetap::cli

// "1 site", "4,096 features".
#pragma once

#include <cstdint>
#include <string>

#include "plugin/number_text.h"

namespace saetap::cli {

// `noun`: of one.
[[nodiscard]] inline std::string counted(std::uint64_t count, const std::string& noun) {
  return count_text(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace saetap::cli

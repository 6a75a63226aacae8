// What both halves of docs/provenance.md have in common: how a cell is written, and what must hold of it.
#pragma once

#include <string>

#include "tests/provenance/readings.h"

namespace saetap::testing {

[[nodiscard]] std::string format(const char* pattern, double value);
// 1048576 as 1,048,576.
[[nodiscard]] std::string grouped(std::int64_t number);

// "99.98 % / 0 / 1 / 3": right, wrong, ambiguous, unresolved.
[[nodiscard]] std::string cell(const Tally& tally);

// Why a cell is not as it must be; empty: it is.
[[nodiscard]] std::string failure(const Change& change, const Reading& reading, const Tally& tally);

}  // namespace saetap::testing

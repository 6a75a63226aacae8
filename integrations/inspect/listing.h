// What was found, for people and for programs.
#pragma once

#include <string>

#include "integrations/inspect/inspection.h"

namespace saetap::inspect {

// A block per site, and what would be hooked. `all`: also sites that are none beyond doubt.
[[nodiscard]] std::string text_of(const Inspection& inspection, bool all);

// One object, every site in it; docs/json_output.md describes the fields.
[[nodiscard]] std::string json_of(const Inspection& inspection);

}  // namespace saetap::inspect

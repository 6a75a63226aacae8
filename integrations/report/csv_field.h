// Text as a field of CSV.
#pragma once

#include <string>
#include <string_view>

namespace saetap {

// As RFC 4180 has it: in quotes where it has a comma, a quote or a line break. Where it begins with what a spreadsheet
// takes for a formula, or with an apostrophe, there is an apostrophe before it.
[[nodiscard]] std::string csv_field(std::string_view text);

}  // namespace saetap

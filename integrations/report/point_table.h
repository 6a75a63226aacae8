// The points of a picture as a table: beside it as CSV, and in the program's JSON.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <variant>
#include <vector>

namespace saetap {

// Nothing: not known. Floats are of their own so that 7.53 is not 7.530000209808350.
using PointCell = std::variant<std::monostate, std::uint64_t, std::int64_t, double, float, std::string>;

struct PointColumn {
  std::string name;  // as a field of JSON: "first_step"
  std::string unit;  // empty: a number or a name; else of what: "tokens", "share of tokens"
};

struct PointTable {
  std::vector<PointColumn> columns;
  std::vector<std::vector<PointCell>> rows;  // as many cells as columns
};

// A head of "name [unit]", then a line for each row, ended by CR LF. Text is made
// visible (see analysis/visible_text.h). What is not known or not finite is empty.
void write_csv(std::ostream& out, const PointTable& table);

}  // namespace saetap

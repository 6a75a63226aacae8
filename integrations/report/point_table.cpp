#include "integrations/report/point_table.h"

#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <ostream>

#include "integrations/analysis/visible_text.h"
#include "integrations/report/csv_field.h"

namespace saetap {
namespace {

template <typename Number>
std::string number_text(Number value) {
  if constexpr (std::floating_point<Number>) {
    if (!std::isfinite(value)) return "";
  }
  std::array<char, 32> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), written.ptr};
}

struct FieldOf {
  std::string operator()(std::monostate) const { return ""; }
  std::string operator()(const std::string& text) const { return csv_field(visible(text)); }
  template <typename Number>
  std::string operator()(Number value) const {
    return number_text(value);
  }
};

}  // namespace

void write_csv(std::ostream& out, const PointTable& table) {
  const char* separator = "";
  for (const PointColumn& column : table.columns) {
    out << separator << csv_field(column.unit.empty() ? column.name : column.name + " [" + column.unit + "]");
    separator = ",";
  }
  out << "\r\n";
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) out << (i == 0 ? "" : ",") << std::visit(FieldOf{}, row[i]);
    out << "\r\n";
  }
}

}  // namespace saetap

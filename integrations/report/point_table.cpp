#include "integrations/report/point_table.h"

#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <ostream>

#include "integrations/analysis/visible_text.h"

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

std::string csv_field(std::string_view text) {
  constexpr std::string_view kBeginsFormula = "=+-@'";
  std::string field(text);
  if (!field.empty() && kBeginsFormula.find(field.front()) != std::string_view::npos) field.insert(0, 1, '\'');
  if (field.find_first_of(",\"\r\n") == std::string::npos) return field;
  std::string quoted = "\"";
  for (const char c : field) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

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

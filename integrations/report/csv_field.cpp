#include "integrations/report/csv_field.h"

namespace saetap {

std::string csv_field(std::string_view text) {
  constexpr std::string_view kBeginsFormula = "=+-@'";
  std::string field(text);
  if (!field.empty() && kBeginsFormula.find(field.front()) != std::string_view::npos) field.insert(0, 1, '\'');
  if (field.find_first_of(",\"\r\n") == std::string::npos) return field;
  std::string quoted = "\"";
  for (const char c : field) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

}  // namespace saetap

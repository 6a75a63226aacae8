#include "integrations/report/document_writer.h"

namespace saetap {

std::string heading_id(std::string_view heading) {
  std::string id;
  for (const char c : heading) {
    if (c >= 'A' && c <= 'Z') {
      id += static_cast<char>(c - 'A' + 'a');
    } else if (c == ' ') {
      id += '-';
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_') {
      id += c;
    }
  }
  return id;
}

}  // namespace saetap

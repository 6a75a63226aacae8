#include "integrations/libtorch/first_line.h"

#include <algorithm>
#include <string_view>

#include "hooks/libtorch.h"

namespace saetap {

std::string first_line(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  std::string_view text = torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
  const auto start = text.find_first_not_of(" \n");
  if (start == std::string_view::npos) return "unknown error";
  text = text.substr(start, text.find('\n', start) - start);
  // "[enforce fail at inline_container.cc:412] . PytorchStreamReader failed …"
  if (text.starts_with("[enforce fail")) {
    const auto words = text.find_first_not_of("] .", std::min(text.find(']'), text.size()));
    if (words != std::string_view::npos) text = text.substr(words);
  }
  return std::string(text);
}

}  // namespace saetap

#include "integrations/libtorch/first_line.h"

#include <algorithm>
#include <string_view>

#include "hooks/libtorch.h"

namespace saetap {

namespace {

// Of an error in a module's code: "RuntimeError: index out of range in self" stands below the lines of the code.
std::string_view last_line(std::string_view text) {
  text = text.substr(0, text.find_last_not_of(" \n") + 1);
  text.remove_prefix(text.rfind('\n') + 1);
  constexpr std::string_view kError = "RuntimeError: ";
  return text.starts_with(kError) ? text.substr(kError.size()) : text;
}

}  // namespace

std::string first_line(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  std::string_view text = torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
  const auto start = text.find_first_not_of(" \n");
  if (start == std::string_view::npos) return "unknown error";
  if (text.substr(start).starts_with("The following operation failed in the TorchScript interpreter")) {
    return std::string(last_line(text));
  }
  text = text.substr(start, text.find('\n', start) - start);
  // "[enforce fail at inline_container.cc:412] . PytorchStreamReader failed …"
  if (text.starts_with("[enforce fail")) {
    const auto words = text.find_first_not_of("] .", std::min(text.find(']'), text.size()));
    if (words != std::string_view::npos) text = text.substr(words);
  }
  return std::string(text);
}

}  // namespace saetap

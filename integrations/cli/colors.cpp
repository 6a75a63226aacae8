#include "integrations/cli/colors.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

namespace saetap::cli {
namespace {

// Of the 256 that terminals know: from a pale yellow to red. Black is readable on each, whatever the terminal's own
// colours are.
constexpr std::array<int, 5> kShades{230, 222, 216, 209, 203};
constexpr const char* kPlain = "\x1b[0m";

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

bool terminal_has_colors() {
  const char* kind = std::getenv("TERM");
  return isatty(STDOUT_FILENO) != 0 && !is_set("NO_COLOR") && (kind == nullptr || std::string_view(kind) != "dumb");
}

std::string between(const std::string& begin, std::string_view text) {
  return (begin + std::string(text)).append(kPlain);
}

}  // namespace

void add_color_option(CLI::App& command, std::string& choice) {
  command.add_option("--color", choice, "Shade tokens by their activation; always: also into a pipe, for less -R")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->type_name("WHEN")
      ->capture_default_str();
}

Colors::Colors(const std::string& choice) : on_(choice == "always" || (choice == "auto" && terminal_has_colors())) {}

std::string Colors::bold(std::string_view text) const {
  return on_ ? between("\x1b[1m", text) : std::string(text);
}

std::string Colors::faint(std::string_view text) const {
  return on_ ? between("\x1b[2m", text) : std::string(text);
}

std::string Colors::shaded(std::string_view text, double share) const {
  const std::size_t spaces = std::min(text.find_first_not_of(' '), text.size());
  if (!on_ || !(share > 0) || spaces == text.size()) return std::string(text);
  const auto level = static_cast<std::size_t>(std::ceil(std::min(share, 1.0) * kShades.size())) - 1;
  const std::string begin = "\x1b[38;5;16;48;5;" + std::to_string(kShades[level]) + "m";
  return std::string(text.substr(0, spaces)) + between(begin, text.substr(spaces));
}

}  // namespace saetap::cli

// Colours on stdout, where somebody can see them.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

namespace saetap::cli {

// --color auto|always|never
void add_color_option(CLI::App& command, std::string& choice);

class Colors {
 public:
  // `choice` as checked by the option above. "auto": if stdout is a terminal that has colours and NO_COLOR is not set.
  explicit Colors(const std::string& choice);

  // The same text without colours.
  [[nodiscard]] std::string bold(std::string_view text) const;
  [[nodiscard]] std::string faint(std::string_view text) const;
  // Behind the text a colour that says how strong something is there: `share` from 0, none, to 1. Spaces at the
  // beginning get none.
  [[nodiscard]] std::string shaded(std::string_view text, double share) const;
  [[nodiscard]] bool on() const { return on_; }

 private:
  bool on_;
};

}  // namespace saetap::cli

// What `saetap COMMAND --help` looks like.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace saetap::cli {

// CLI11's, but values, choices and defaults are told of as the manual page does: "--sort max|mean" and not
// "--sort TEXT:{max,mean}=max".
class HelpFormat : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
  std::string make_option_usage(const CLI::Option* option) const override;  // of operands
};

}  // namespace saetap::cli

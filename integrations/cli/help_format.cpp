#include "integrations/cli/help_format.h"

#include "integrations/cli/command_tree.h"

namespace saetap::cli {

std::string HelpFormat::make_option_opts(const CLI::Option* option) const {
  const Argument argument = argument_of(*option);
  const std::string value = value_of(argument);
  const bool list = value.ends_with("...");  // "N,N,...": a list in one word
  return value.empty() ? "" : " " + value + (argument.many && !list ? "..." : "");
}

std::string HelpFormat::make_option_desc(const CLI::Option* option) const {
  const Argument argument = argument_of(*option);
  return told(argument) + (argument.environment.empty() ? "" : " (or $" + argument.environment + ")");
}

std::string HelpFormat::make_option_usage(const CLI::Option* option) const {
  const Argument argument = argument_of(*option);
  const std::string name = argument.names.front() + (argument.many ? "..." : "");
  return argument.required ? name : "[" + name + "]";
}

}  // namespace saetap::cli

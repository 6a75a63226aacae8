#include "integrations/cli/completion.h"

#include <string_view>

namespace saetap::cli {
namespace {

// In single quotes, with what _arguments and _describe would read as theirs escaped.
std::string quoted(std::string_view before, std::string_view text, std::string_view after) {
  std::string quoted = "'" + std::string(before);
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
      continue;
    }
    if (c == ':' || c == '[' || c == ']' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + std::string(after) + "'";
}

std::string action_of(const Argument& argument) {
  std::string choices;
  switch (argument.kind) {
    case ValueKind::file:
      return "_files";
    case ValueKind::folder:
      return "_files -/";
    case ValueKind::choice:
      for (const std::string& choice : argument.choices) choices += (choices.empty() ? "" : " ") + choice;
      return "(" + choices + ")";
    case ValueKind::other:
      return " ";
  }
  return " ";
}

// One for each of its names: each excludes the others.
std::string specifications(const Argument& option) {
  std::string all, names;
  for (const std::string& name : option.names) names += (names.empty() ? "" : " ") + name;
  for (const std::string& name : option.names) {
    const std::string repeated = option.many ? "*" : "(" + names + ")";
    const std::string takes = option.value.empty() ? "" : name.starts_with("--") ? "=" : "+";
    const std::string value = option.value.empty() ? "" : ":" + option.names.back() + ":" + action_of(option);
    all += " \\\n        " + quoted(repeated + name + takes + "[", option.description, "]" + value);
  }
  return all;
}

std::string arguments_of(const Command& command) {
  std::string text = "    " + command.name + ")\n      _arguments -s -S";
  for (const Argument& option : command.options) text += specifications(option);
  std::size_t place = 0;
  for (const Argument& operand : command.operands) {
    const std::string where = operand.many ? "*" : std::to_string(++place);
    text += " \\\n        " + quoted(where + ":", operand.names.front(), ":" + action_of(operand));
  }
  if (takes_command_line(command)) text += " \\\n        '*:::command:_normal'";
  return text + "\n      ;;\n";
}

}  // namespace

std::string zsh_completion(std::span<const Command> commands) {
  std::string names, cases;
  for (const Command& command : commands) {
    names += "    " + quoted("", command.name, "") + ":" + quoted("", command.description, "") + "\n";
    cases += arguments_of(command);
  }
  return "#compdef saetap\n# zsh completion for saetap, as `saetap completion zsh` prints it.\n\n_saetap() {\n"
         "  local -a commands=(\n" +
         names +
         "  )\n"
         "  if ((CURRENT == 2)); then\n"
         "    _describe -t commands command commands\n"
         "    _arguments '--help[Print this help message and exit]' '--version[Print the version and exit]'\n"
         "    return\n"
         "  fi\n"
         "  local command=$words[2]\n"
         "  shift words\n"
         "  ((CURRENT--))\n"
         "  case $command in\n" +
         cases +
         "  esac\n"
         "}\n\n"
         "if [[ $funcstack[1] == _saetap ]]; then\n"
         "  _saetap \"$@\"\n"
         "else\n"
         "  compdef _saetap saetap\n"
         "fi\n";
}

}  // namespace saetap::cli

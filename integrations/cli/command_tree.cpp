#include "integrations/cli/command_tree.h"

#include <sstream>
#include <string_view>

namespace saetap::cli {
namespace {

// "TEXT:{max,mean}" -> {"max", "mean"}: CLI11 has the values of a set in the name of the type alone.
std::vector<std::string> choices_in(const std::string& type) {
  std::vector<std::string> choices;
  const std::size_t begin = type.find('{'), end = type.find('}');
  if (begin == std::string::npos || end == std::string::npos) return choices;
  std::istringstream list(type.substr(begin + 1, end - begin - 1));
  for (std::string choice; std::getline(list, choice, ',');) choices.push_back(choice);
  return choices;
}

// CLI11's names of types, where none was given, as people know them.
std::string value_name(const std::string& type) {
  return type == "INT" || type == "UINT" ? "N" : type == "FLOAT" ? "X" : type;
}

ValueKind kind_of(const Argument& argument, bool operand) {
  if (!argument.choices.empty()) return ValueKind::choice;
  if (argument.value == "DIR") return ValueKind::folder;
  // Operands are files, unless they are numbers.
  if (argument.value == "FILE" || (operand && argument.value == "TEXT")) return ValueKind::file;
  return ValueKind::other;
}

Command command_of(const CLI::App& app) {
  Command command{app.get_name(), app.get_description(), {}, {}, {}, ""};
  for (const CLI::Option* option : app.get_options()) {
    (option->get_positional() ? command.operands : command.options).push_back(argument_of(*option));
  }
  constexpr std::string_view kExample = "Example: ";
  std::istringstream footer(app.get_footer());
  for (std::string line; std::getline(footer, line);) {
    if (line.starts_with(kExample)) {
      command.example = line.substr(kExample.size());
    } else if (!line.empty()) {
      command.notes.push_back(line);
    }
  }
  return command;
}

}  // namespace

Argument argument_of(const CLI::Option& option) {
  Argument argument;
  const bool operand = option.get_positional();
  if (operand) argument.names.push_back(option.get_single_name());
  for (const std::string& name : option.get_snames()) argument.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) argument.names.push_back("--" + name);
  const std::string type = option.get_items_expected_max() == 0 ? "" : option.get_type_name();
  argument.choices = choices_in(type);
  argument.value = value_name(type.substr(0, type.find(':')));
  argument.kind = kind_of(argument, operand);
  argument.description = option.get_description();
  argument.standard = option.get_default_str();
  argument.environment = option.get_envname();
  argument.required = option.get_required();
  argument.many = option.get_items_expected_max() > 1;
  return argument;
}

std::string value_of(const Argument& argument) {
  const bool operand = !argument.names.front().starts_with('-');
  if (argument.choices.empty()) return operand ? "" : argument.value;
  std::string choices;
  for (const std::string& choice : argument.choices) choices += (choices.empty() ? "" : "|") + choice;
  return choices;
}

std::string told(const Argument& argument) {
  std::string text = argument.description;
  if (!argument.standard.empty()) text += " (default: " + argument.standard + ")";
  if (argument.required && argument.names.front().starts_with('-')) text += " (required)";
  return text;
}

std::vector<Command> commands_of(const CLI::App& program) {
  std::vector<Command> commands;
  for (const CLI::App* one : program.get_subcommands([](const CLI::App*) { return true; })) {
    commands.push_back(command_of(*one));
  }
  return commands;
}

bool takes_command_line(const Command& command) {
  return command.name == "record";
}

std::string synopsis(const Command& command) {
  std::string line = "saetap " + command.name;
  for (const Argument& operand : command.operands) {
    const std::string name = operand.names.front() + (operand.many ? "..." : "");
    line += operand.required ? " " + name : " [" + name + "]";
  }
  for (const Argument& option : command.options) {
    if (option.required) line += " " + option.names.front() + " " + option.value + (option.many ? "..." : "");
  }
  if (!command.options.empty()) line += " [options]";
  return line + (takes_command_line(command) ? " -- COMMAND [ARGUMENTS...]" : "");
}

}  // namespace saetap::cli

// What commands there are and what they take, out of the program itself: for completion, the man page and suggestions.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace saetap::cli {

// What a value is, as far as a shell can complete it.
enum class ValueKind { other, file, folder, choice };

struct Argument {
  std::vector<std::string> names;  // "-o", "--output"; of an operand its name alone: "STORE"
  std::string value;               // what stands for it in a help text: "FILE"; empty: a flag
  ValueKind kind = ValueKind::other;
  std::vector<std::string> choices;
  std::string description;
  std::string standard;     // the default; empty: none, or said in the description
  std::string environment;  // the variable that stands for it; may be empty
  bool required = false;
  bool many = false;  // may be given several times
};

struct Command {
  std::string name;
  std::string description;
  std::vector<Argument> operands;  // by position
  std::vector<Argument> options;
  std::vector<std::string> notes;  // lines below its help
  std::string example;
};

[[nodiscard]] Argument argument_of(const CLI::Option& option);

// What stands for its value: "FILE", "max|mean"; empty for a flag, and for an operand that is no choice.
[[nodiscard]] std::string value_of(const Argument& argument);
// Its description, with what it is by default, or that it is required.
[[nodiscard]] std::string told(const Argument& argument);

// In the order in which they were added.
[[nodiscard]] std::vector<Command> commands_of(const CLI::App& program);

// "saetap import FILE -o FILE [options]". `record` has a command of its own behind "--".
[[nodiscard]] std::string synopsis(const Command& command);

// Of `record`: what is behind "--" is another program's.
[[nodiscard]] bool takes_command_line(const Command& command);

}  // namespace saetap::cli

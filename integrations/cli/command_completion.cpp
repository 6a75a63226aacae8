#include <iostream>
#include <memory>

#include "integrations/cli/commands.h"
#include "integrations/cli/completion.h"

namespace saetap::cli {

void add_completion(CLI::App& program) {
  auto shell = std::make_shared<std::string>();
  CLI::App* sub = program.add_subcommand("completion", "Print a script that completes saetap's commands in a shell");
  sub->add_option("SHELL", *shell, "Which shell it is for")->required()->check(CLI::IsMember({"bash", "zsh"}));
  sub->footer(
      "An installed saetap has both where the shells look for them.\n"
      "Example: source <(saetap completion bash)");
  sub->callback([shell, &program] {
    const std::vector<Command> commands = commands_of(program);
    std::cout << (*shell == "bash" ? bash_completion(commands) : zsh_completion(commands));
  });
}

}  // namespace saetap::cli

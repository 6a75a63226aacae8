#include <iostream>

#include "integrations/cli/commands.h"
#include "integrations/cli/man_page.h"

namespace saetap::cli {

void add_man(CLI::App& program) {
  CLI::App* sub = program.add_subcommand("man", "Print the manual page, for man to show");
  sub->footer("Example: saetap man | man -l -");
  sub->callback([&program] { std::cout << man_page(program.get_description(), commands_of(program)); });
}

}  // namespace saetap::cli

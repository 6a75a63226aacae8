#include "integrations/cli/program.h"

#include <algorithm>
#include <csignal>
#include <exception>
#include <iostream>
#include <memory>
#include <new>
#include <string_view>
#include <vector>

#include "integrations/analysis/visible_text.h"
#include "integrations/cli/commands.h"
#include "integrations/cli/failure.h"
#include "integrations/cli/help_format.h"
#include "integrations/cli/near_miss.h"

namespace saetap::cli {
namespace {

int fail(Status status, std::string_view reason) {
  std::cout.flush();
  // A reason may quote a file or an argument: neither may break the line or reach the terminal's controls.
  const std::string one_line = visible(reason.substr(0, reason.find_last_not_of("\n ") + 1));
  std::cerr << "saetap: " << one_line << '\n';
  return static_cast<int>(status);
}

// "there is no option --tpo; did you mean --top?", of the first word that the command does not know, if it is an
// option.
std::string unknown_option(const CLI::App& command) {
  std::vector<std::string> known;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  }
  for (const std::string& word : command.remaining()) {
    if (!word.starts_with('-') || word == "-") continue;
    const std::string name = word.substr(0, word.find('='));
    return "there is no option " + name + did_you_mean(name, known);
  }
  return "";
}

int fail_usage(const CLI::App& program, const CLI::ParseError& error) {
  const auto chosen = program.get_subcommands();
  const CLI::App& used = chosen.empty() ? program : *chosen.front();
  const std::string command = chosen.empty() ? "saetap" : "saetap " + used.get_name();
  std::string reason = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && used.get_name() != "record") {
    const std::string better = unknown_option(used);
    if (!better.empty()) reason = better;
  }
  return fail(Status::bad_input, reason + " (" + command + " --help)");
}

// CLI11 itself would only say that a command is missing.
void check_command(const CLI::App& program, std::string_view name) {
  if (name.empty() || name.starts_with('-')) return;
  std::vector<std::string> known;
  for (const CLI::App* one : program.get_subcommands([](const CLI::App*) { return true; })) {
    known.push_back(one->get_name());
  }
  if (std::ranges::find(known, name) != known.end()) return;
  throw Failure(Status::bad_input,
                "there is no command " + std::string(name) + did_you_mean(name, known) + " (saetap --help)");
}

// `saetap features … | head -1` ends as every other program there does, whatever who started us left the signal at. A
// recorded program has it as it was.
void end_with_reader(std::string_view command) {
  if (command != "record") std::signal(SIGPIPE, SIG_DFL);
}

int parse_and_run(CLI::App& program, int argc, char** argv) {
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& answered) {  // --help, --version
    program.exit(answered);
  } catch (const CLI::ParseError& error) {
    return fail_usage(program, error);
  }
  if (!std::cout.flush()) return fail(Status::bad_input, "the output could not be written");
  return static_cast<int>(Status::success);
}

}  // namespace

int run_program(int argc, char** argv) {
  CLI::App program{"Reads the features of sparse autoencoders by their strongest real examples.", "saetap"};
  program.formatter(std::make_shared<HelpFormat>());
  program.set_version_flag("--version", "saetap " SAETAP_VERSION);
  program.require_subcommand(1);
  program.footer("Example: saetap record -- ./trainer train.json && saetap features activation_samples");

  // CLI11 would read options out of the recorded command and swallow a second "--" in it: it never sees the command.
  const bool records = argc > 1 && std::string_view(argv[1]) == "record";
  char** const end = argv + argc;
  char** const dashes = records ? std::find(argv, end, std::string_view("--")) : end;
  const std::vector<std::string> command(dashes == end ? end : dashes + 1, end);

  add_record(program, command);
  add_inspect(program);
  add_index(program);
  add_collect(program);
  add_info(program);
  add_features(program);
  add_show(program);
  add_compare(program);
  add_similar(program);
  add_cluster(program);
  add_map(program);
  add_report(program);
  add_plot(program);
  add_merge(program);
  add_agree(program);
  add_export(program);
  add_import(program);
  add_completion(program);
  add_man(program);
  try {
    check_command(program, argc > 1 ? argv[1] : "");
    end_with_reader(argc > 1 ? argv[1] : "");
    return parse_and_run(program, static_cast<int>(dashes - argv), argv);
  } catch (const Failure& failure) {
    return fail(failure.status(), failure.what());
  } catch (const std::bad_alloc&) {
    return fail(Status::bad_input, "there is not enough memory for this");
  } catch (const std::exception& error) {
    return fail(Status::bad_input, error.what());
  }
}

}  // namespace saetap::cli

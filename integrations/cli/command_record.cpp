#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>

#include "integrations/analysis/visible_text.h"
#include "integrations/cli/commands.h"
#include "integrations/cli/failure.h"
#include "integrations/cli/help_format.h"
#include "integrations/cli/plugin_location.h"
#include "integrations/cli/shared_options.h"
#include "integrations/cli/shell_quote.h"
#include "integrations/tokenizers/tokenizer.h"
#include "plugin/config.h"
#include "plugin/trace/row_file_reader.h"

namespace saetap::cli {
namespace {

struct RecordRequest {
  std::string config;  // empty: defaults
  std::string output;  // empty: as configured
  bool follow_children = false;
};

// The session would only say that it has no tokens from such a file.
void check_index(const TokenOptions& tokens) {
  std::map<std::pair<std::string, std::size_t>, std::string> files;
  for (const std::string& path : tokens.index) {
    const auto refuse = [&](const std::string& reason) {
      throw Failure(Status::bad_input, path + " (tokens.index): " + reason);
    };
    try {
      const RowFileHead head = RowFileReader(path).head();
      const auto [same, first] = files.emplace(std::pair(head.name, head.width), path);
      if (!first) {
        refuse("its rows are named \"" + head.name + "\" as those of " + same->second +
               " are, and as wide: index all shards of one stream in one file, or tell streams apart with --name");
      }
    } catch (const RowFileError& error) {
      refuse(error.what());
    }
  }
}

// Wrong configuration is found here, before hours of training are started.
Config checked_config(const std::string& path) {
  const Config config = load_config(path, /*collect_by_default=*/true);
  for (const std::string& warning : config.warnings) std::cerr << "saetap: " << visible(warning) << '\n';
  if (!config.save_activation_samples) {
    std::cerr << "saetap: save_activation_samples is false in " << path << ": nothing will be collected\n";
  }
  check_index(config.tokens);
  if (config.tokenizer.empty()) return config;
  try {
    (void)load_tokenizer(config.tokenizer);
  } catch (const UnsupportedTokenizer& later) {
    std::cerr << "saetap: " << later.what() << '\n';
  }
  return config;
}

// The folder is made only when there is something to save, so what is looked at is where it would be made.
void check_output(const std::string& folder) {
  std::filesystem::path existing = std::filesystem::absolute(folder);
  std::error_code failed;
  while (!std::filesystem::exists(existing, failed) && existing.has_relative_path()) existing = existing.parent_path();
  if (!std::filesystem::is_directory(existing, failed)) {
    throw Failure(Status::bad_input, folder + " cannot hold the store: " + existing.string() + " is no folder");
  }
  if (access(existing.c_str(), W_OK | X_OK) != 0) {
    throw Failure(Status::bad_input,
                  folder + " cannot hold the store: " + existing.string() + ": " + std::strerror(errno));
  }
}

void set_variable(const char* name, const std::string& value) {
  if (setenv(name, value.c_str(), /*overwrite=*/1) != 0) {
    throw Failure(Status::bad_input, std::string(name) + " cannot be set: " + std::strerror(errno));
  }
}

void prepare_environment(const RecordRequest& request, const std::vector<std::string>& command) {
  const PluginLocation location = find_plugin();
  const char* preloaded = std::getenv("LD_PRELOAD");
  set_variable("LD_PRELOAD", location.preload.native() + (preloaded && *preloaded ? std::string(":") + preloaded : ""));
  set_variable("SAETAP_PLUGIN", location.plugin.native());
  set_variable("SAETAP_RECORD", "1");
  set_variable("SAETAP_PID", std::to_string(getpid()));
  set_variable("SAETAP_PROGRAM", shell_quoted(command));
  if (request.follow_children) set_variable("SAETAP_FOLLOW_CHILDREN", "1");
  // Absolute, because the program may change its folder.
  if (!request.config.empty()) set_variable("SAETAP_CONFIG", std::filesystem::absolute(request.config));
  if (!request.output.empty()) set_variable("SAETAP_OUTPUT_DIR", std::filesystem::absolute(request.output));
}

// This process becomes the program: pid, signals, streams and exit status are the program's own.
[[noreturn]] void become(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments.front(), arguments.data());
  const Status status = errno == ENOENT ? Status::not_found : Status::cannot_execute;
  throw Failure(status, command.front() + " cannot be started: " + std::strerror(errno));
}

void record(const RecordRequest& request, const std::vector<std::string>& command) {
  if (command.empty()) {
    throw Failure(Status::bad_input, "record needs a command behind --, as in: saetap record -- ./trainer train.json");
  }
  const Config config = request.config.empty() ? Config{} : checked_config(request.config);
  check_output(request.output.empty() ? config.output_dir : request.output);
  prepare_environment(request, command);
  become(command);
}

// The command behind "--" is none of CLI11's options, so its own usage line would not show it.
class RecordHelp : public HelpFormat {
 public:
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: saetap record [OPTIONS] -- COMMAND [ARGUMENTS...]\n";
  }
};

}  // namespace

void add_record(CLI::App& program, const std::vector<std::string>& command) {
  auto request = std::make_shared<RecordRequest>();
  CLI::App* sub = program.add_subcommand("record", "Start a program and keep the strongest samples of its features");
  sub->formatter(std::make_shared<RecordHelp>());
  sub->add_option("--config", request->config, "Config file with saetap's keys (default: every key's default)")
      ->type_name("FILE")
      ->envname("SAETAP_CONFIG");
  sub->add_option("-o,--output", request->output, "Folder for the store (default: the key output_dir)")
      ->check(file_name())
      ->type_name("DIR")
      ->envname("SAETAP_OUTPUT_DIR");
  sub->add_flag("--follow-children", request->follow_children,
                "Record the programs that it starts, too: for scripts, and launchers such as torchrun");
  sub->footer(
      "The program keeps its process id, signals, streams and exit status. If it cannot be started: 127 when there\n"
      "is no such command, 126 when it cannot be executed, as env and nice have it. SAETAP_LIBRARY_DIR names the\n"
      "folder of libsaetap.so, if it is not beside saetap.\n"
      "Example: saetap record --config tap.json -- ./trainer train.json");
  // A command without "--" before it is the likeliest mistake: it gets a line that says so.
  sub->allow_extras();
  sub->callback([request, &command, sub] {
    if (!command.empty() && sub->remaining_size() > 0) throw CLI::ExtrasError("saetap record", sub->remaining());
    record(*request, command);
  });
}

}  // namespace saetap::cli

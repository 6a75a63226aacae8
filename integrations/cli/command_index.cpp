#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "integrations/cli/commands.h"
#include "integrations/cli/failure.h"
#include "integrations/cli/libtorch_part.h"
#include "integrations/cli/shared_options.h"
#include "integrations/cli/written_file.h"
#include "plugin/trace/row_file_format.h"

namespace saetap::cli {
namespace {

struct IndexArguments {
  std::vector<std::string> activations, tokens, masks;
  std::vector<std::int64_t> omitted_ids;
  std::int64_t length = 0;
  bool omit_masked = false;
  bool in_given_order = false;
  bool json = false;
  std::string name, output;
};

[[noreturn]] void index(IndexArguments arguments) {
  if (arguments.name.empty()) arguments.name = std::filesystem::path(arguments.output).stem().string();
  if (!is_row_file_name(arguments.name)) {
    throw Failure(Status::bad_input, "--name has to have 1 to " + std::to_string(kLongestRowFileName) +
                                         " bytes and no control characters");
  }
  if (arguments.omit_masked && arguments.masks.empty()) {
    throw Failure(Status::bad_input, "--omit-masked needs --mask");
  }
  check_no_database(arguments.output);
  // A file may have any name: each stands behind its key.
  std::vector<std::string> words;
  for (const auto& file : arguments.activations) words.push_back("--activations=" + file);
  for (const auto& file : arguments.tokens) words.push_back("--tokens=" + file);
  for (const auto& file : arguments.masks) words.push_back("--mask=" + file);
  for (const auto id : arguments.omitted_ids) words.push_back("--omit-ids=" + std::to_string(id));
  if (arguments.omit_masked) words.emplace_back("--omit-masked");
  if (arguments.in_given_order) words.emplace_back("--in-given-order");
  if (arguments.json) words.emplace_back("--json");
  words.insert(words.end(), {"--length=" + std::to_string(arguments.length), "--name=" + arguments.name,
                             "--output=" + arguments.output});
  become("saetap-index", words);
}

}  // namespace

void add_index(CLI::App& program) {
  auto arguments = std::make_shared<IndexArguments>();
  CLI::App* sub = program.add_subcommand("index",
                                         "Which token each row of stored activations belongs to, for a trainer "
                                         "that reads them from files");
  sub->add_option("--activations", arguments->activations,
                  "Shards: .npy, .pt or .safetensors (FILE:NAME where one holds several tensors), [rows, d] or "
                  "[batch, length, d]. With one file of tokens for all: in the order of the tokens")
      ->required()
      ->type_name("FILE");
  sub->add_option("--tokens", arguments->tokens,
                  "Token ids, one file for each shard or one for all of them in order: [batch, length], or flat, or "
                  "int32 without a header (.bin)")
      ->required()
      ->type_name("FILE");
  sub->add_option("--mask", arguments->masks, "Attention masks, one for each file of tokens: 1 is attended to")
      ->type_name("FILE");
  sub->add_option("--length", arguments->length, "Tokens in a row, where the file does not say it")
      ->check(from_to(1, std::uint64_t{1} << 31));
  sub->add_option("--omit-ids", arguments->omitted_ids, "Tokens of these ids have no row in the activations: 0,101,102")
      ->delimiter(',')
      ->type_name("ID,...")
      ->check(from_to(0, (std::uint64_t{1} << 31) - 1));
  sub->add_flag("--omit-masked", arguments->omit_masked, "Tokens that the mask leaves out have none either");
  sub->add_flag("--in-given-order", arguments->in_given_order,
                "With one file of tokens for all: the shards follow each other as given, though the numbers in their "
                "names do not");
  sub->add_option("--name", arguments->name,
                  "What the rows are called in what is said of them (default: the index file's name)");
  sub->add_option("-o,--output", arguments->output, "The index file, for the config key saetap.tokens.index")
      ->check(file_name())
      ->required()
      ->type_name("FILE");
  add_json_option(*sub, arguments->json);
  sub->footer(
      "Example: saetap index --activations acts/*.npy --tokens tokens/*.npy --omit-ids 0,101,102 "
      "-o layer3.saetap-index");
  sub->callback([arguments] { index(*arguments); });
}

}  // namespace saetap::cli

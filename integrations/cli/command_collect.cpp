#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "integrations/cli/commands.h"
#include "integrations/cli/failure.h"
#include "integrations/cli/libtorch_part.h"
#include "integrations/cli/shared_options.h"

namespace saetap::cli {
namespace {

struct CollectArguments {
  std::string sae, method, lm, device, output, config, tokenizer;
  std::vector<std::string> activations, tokens, masks;
  std::vector<std::int64_t> omitted_ids;
  bool omit_masked = false, in_given_order = false, resume = false;
  std::optional<std::int64_t> lm_output, batch, sequences, length;
  std::optional<std::int64_t> k, context;
  std::string threshold;
};

// Rows come from a model or from files, and never from both.
void check(const CollectArguments& arguments) {
  const auto refuse = [](const std::string& reason) { throw Failure(Status::bad_input, reason); };
  const bool has_files = !arguments.activations.empty();
  if (arguments.lm.empty() && !has_files) refuse("collect needs --lm and --tokens, or --activations");
  if (!arguments.lm.empty() && has_files) refuse("--lm computes what --activations would be: one of them at a time");
  if (!arguments.lm.empty() && arguments.tokens.empty()) refuse("--lm needs --tokens");
  if (arguments.lm.empty() && arguments.lm_output) refuse("--lm-output needs --lm");
  if (arguments.lm.empty() && arguments.sequences) refuse("--sequences needs --lm");
  if (!arguments.tokens.empty()) {
    if (arguments.omit_masked && arguments.masks.empty()) refuse("--omit-masked needs --mask");
    return;
  }
  if (!arguments.masks.empty()) refuse("--mask needs --tokens");
  if (!arguments.omitted_ids.empty()) refuse("--omit-ids needs --tokens");
  if (arguments.omit_masked) refuse("--omit-masked needs --tokens");
  if (arguments.length) refuse("--length needs --tokens");
}

[[noreturn]] void collect(const CollectArguments& arguments) {
  check(arguments);
  std::vector<std::string> words;
  // A file may have any name: each stands behind its key.
  const auto add = [&](const std::string& key, const std::string& value) {
    if (!value.empty()) words.push_back(key + "=" + value);
  };
  const auto add_number = [&](const std::string& key, const std::optional<std::int64_t>& value) {
    if (value) words.push_back(key + "=" + std::to_string(*value));
  };
  add("--sae", arguments.sae);
  add("--method", arguments.method);
  add("--lm", arguments.lm);
  add_number("--lm-output", arguments.lm_output);
  for (const auto& file : arguments.activations) add("--activations", file);
  for (const auto& file : arguments.tokens) add("--tokens", file);
  for (const auto& file : arguments.masks) add("--mask", file);
  for (const auto id : arguments.omitted_ids) words.push_back("--omit-ids=" + std::to_string(id));
  if (arguments.omit_masked) words.emplace_back("--omit-masked");
  if (arguments.in_given_order) words.emplace_back("--in-given-order");
  add_number("--length", arguments.length);
  add_number("--batch", arguments.batch);
  add_number("--sequences", arguments.sequences);
  add("--device", arguments.device);
  add("--config", arguments.config);
  add_number("-k", arguments.k);
  add_number("--context", arguments.context);
  add("--threshold", arguments.threshold);
  add("--tokenizer", arguments.tokenizer);
  add("--output", arguments.output);
  if (arguments.resume) words.emplace_back("--resume");
  become("saetap-collect", words);
}

void add_rows_options(CLI::App& sub, CollectArguments& arguments) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 31;
  sub.add_option("--lm", arguments.lm, "The language model whose activations it reads, a file of torch.jit.save")
      ->type_name("FILE");
  sub.add_option("--lm-output", arguments.lm_output,
                 "Which of the tensors it returns, from 0 (default: the only one as wide as the SAE's input)")
      ->check(from_to(0, kMost));
  sub.add_option("--activations", arguments.activations,
                 "Or stored rows: .npy, .pt or .safetensors (FILE:NAME where one holds several tensors), [rows, d] or "
                 "[batch, length, d]")
      ->type_name("FILE");
  sub.add_option("--tokens", arguments.tokens,
                 "Token ids, of stored rows one file for each or one for all of them in order: [batch, length], or "
                 "flat, or int32 without a header (.bin)")
      ->type_name("FILE");
  sub.add_option("--mask", arguments.masks,
                 "Attention masks, one for each file of tokens: 1 is attended to. Given to the model, too")
      ->type_name("FILE");
  sub.add_option("--length", arguments.length, "Tokens in a row, where the file does not say it")
      ->check(from_to(1, kMost));
  sub.add_option("--omit-ids", arguments.omitted_ids,
                 "Tokens of these ids have no row, or none that the SAE is given: 0,101,102")
      ->delimiter(',')
      ->type_name("ID,...")
      ->check(from_to(0, kMost - 1));
  sub.add_flag("--omit-masked", arguments.omit_masked, "Tokens that the mask leaves out have none either");
  sub.add_flag("--in-given-order", arguments.in_given_order,
               "With one file of tokens for all: stored rows follow each other as given, though the numbers in the "
               "names of their files do not");
  sub.add_option("--batch", arguments.batch, "Rows in a call of the SAE, which is a step (default: 4096)")
      ->type_name("ROWS")
      ->check(from_to(1, kMost));
  sub.add_option("--sequences", arguments.sequences, "Rows of tokens in a call of the model (default: 32)")
      ->check(from_to(1, kMost));
  sub.add_option("--device", arguments.device, "Where both run: cpu (default), cuda, cuda:1");
}

void add_store_options(CLI::App& sub, CollectArguments& arguments) {
  sub.add_option("--config", arguments.config, "Config file with saetap's keys (default: every key's default)")
      ->type_name("FILE")
      ->envname("SAETAP_CONFIG");
  sub.add_option("-k", arguments.k, "Samples of a feature (the key max_samples_per_feature)")
      ->type_name("N")
      ->check(from_to(1, 1'000'000));
  sub.add_option("--context", arguments.context, "Tokens on each side of one (the key sample_context_size)")
      ->type_name("N")
      ->check(from_to(0, 100'000));
  sub.add_option("--threshold", arguments.threshold,
                 "Lowest activation that is one (the key sample_activation_threshold)")
      ->type_name("X")
      ->check(CLI::Range(0.0, 1'000'000.0));
  sub.add_option("--tokenizer", arguments.tokenizer, "The model's tokenizer (the key tokenizer)")->type_name("FILE");
  sub.add_flag("--resume", arguments.resume, "Go on with the pass that was broken off in this folder");
  sub.add_option("-o,--output", arguments.output, "Folder for the store")
      ->required()
      ->check(file_name())
      ->type_name("DIR");
}

}  // namespace

void add_collect(CLI::App& program) {
  auto arguments = std::make_shared<CollectArguments>();
  CLI::App* sub =
      program.add_subcommand("collect", "Keep the strongest samples of a finished SAE, in a pass over tokens");
  sub->add_option("--sae", arguments->sae, "The SAE or transcoder, a file of torch.jit.save")
      ->required()
      ->type_name("FILE");
  sub->add_option("--method", arguments->method, "Of the SAE, given rows [N, d] (default: forward)")
      ->type_name("METHOD");
  add_rows_options(*sub, *arguments);
  add_store_options(*sub, *arguments);
  sub->footer(
      "Ctrl-C saves and says how to go on.\n"
      "Example: saetap collect --sae sae.pt --lm lm.pt --tokens tokens.npy -o final_samples");
  sub->callback([arguments] { collect(*arguments); });
}

}  // namespace saetap::cli

#include "integrations/cli/shared_options.h"

#include <charconv>

namespace saetap::cli {

CLI::Validator at_least(std::uint64_t lowest) {
  const auto check = [lowest](const std::string& text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = end == text.data() + text.size();
    if (whole && error == std::errc::result_out_of_range) return text + " is too large";
    return whole && error == std::errc() && number >= lowest ? ""
                                                             : text + " is not " + std::to_string(lowest) + " or more";
  };
  return {check, ""};
}

void add_output_option(CLI::App& command, std::string& output) {
  command.add_option("-o,--output", output, "File to write; - is stdout")->type_name("FILE")->capture_default_str();
}

void add_new_store_option(CLI::App& command, std::string& output) {
  command.add_option("-o,--output", output, "The store, or the folder for its samples.saetap")
      ->required()
      ->type_name("FILE");
}

void add_force_option(CLI::App& command, bool& force) {
  command.add_flag("--force", force, "Replace the store if it is there");
}

void add_features_option(CLI::App& command, std::vector<std::int64_t>& features) {
  command.add_option("--features", features, "These features instead, in this order")
      ->delimiter(',')
      ->type_name("N,N,...");
}

void add_samples_option(CLI::App& command, std::size_t& samples) {
  command.add_option("--samples", samples, "How many samples of each feature")
      ->check(at_least(1))
      ->capture_default_str();
}

void add_context_option(CLI::App& command, std::optional<std::uint32_t>& context) {
  command.add_option("--context", context, "Tokens to show on each side (default: as many as were kept)")
      ->check(CLI::Range(0, 100000));
}

void add_seed_option(CLI::App& command, std::uint64_t& seed) {
  command.add_option("--seed", seed, "Of what is left to chance: the same one gives the same result")
      ->check(CLI::Range(0u, 0xFFFFFFFFu))
      ->capture_default_str();
}

void add_tokenizer_option(CLI::App& command, std::string& tokenizer, const std::string& otherwise) {
  command
      .add_option("--tokenizer", tokenizer,
                  "The model's tokenizer: tokenizer.json, .model, .tiktoken… (default: " + otherwise + ")")
      ->type_name("FILE");
}

void add_json_option(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "Print one JSON object (docs/json_output.md)");
}

}  // namespace saetap::cli

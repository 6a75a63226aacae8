#include "integrations/cli/shared_options.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace saetap::cli {

namespace {

// Nothing: it is no whole number in decimal digits. Larger ones than there are become the largest.
std::optional<std::uint64_t> whole_number(const std::string& text) {
  const bool digits = !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? number : std::numeric_limits<std::uint64_t>::max();
}

std::string named(const std::string& text) {
  return text.empty() ? "an empty text" : text;
}

}  // namespace

CLI::Validator at_least(std::uint64_t lowest) {
  const auto check = [lowest](const std::string& text) {
    const auto number = whole_number(text);
    if (number == std::numeric_limits<std::uint64_t>::max()) return text + " is too large";
    if (!number) return named(text) + " is not a whole number of " + std::to_string(lowest) + " or more";
    return *number >= lowest ? "" : text + " is not " + std::to_string(lowest) + " or more";
  };
  return {check, ""};
}

CLI::Validator from_to(std::uint64_t lowest, std::uint64_t highest) {
  const auto check = [lowest, highest](const std::string& text) {
    const auto number = whole_number(text);
    if (number && *number >= lowest && *number <= highest) return std::string();
    return named(text) + " is not a whole number from " + std::to_string(lowest) + " to " + std::to_string(highest);
  };
  return {check, ""};
}

CLI::Validator feature_number() {
  const auto check = [](const std::string& text) {
    // Below 0 it is one that no site has.
    const auto number = whole_number(text.starts_with('-') ? text.substr(1) : text);
    const bool fits = number && *number <= std::numeric_limits<std::int64_t>::max();
    return fits ? "" : named(text) + " is not the number of a feature";
  };
  return {check, ""};
}

CLI::Validator file_name() {
  return {[](const std::string& text) { return text.empty() ? "an empty text names no file" : std::string(); }, ""};
}

void add_output_option(CLI::App& command, std::string& output) {
  command.add_option("-o,--output", output, "File to write; - is stdout")
      ->check(file_name())
      ->type_name("FILE")
      ->capture_default_str();
}

void add_new_store_option(CLI::App& command, std::string& output) {
  command.add_option("-o,--output", output, "The store, or the folder for its samples.saetap")
      ->required()
      ->check(file_name())
      ->type_name("FILE");
}

void add_force_option(CLI::App& command, bool& force) {
  command.add_flag("--force", force, "Replace the store if it is there");
}

void add_features_option(CLI::App& command, std::vector<std::int64_t>& features) {
  command.add_option("--features", features, "These features instead, in this order")
      ->delimiter(',')
      ->check(feature_number())
      ->type_name("N,N,...");
}

void add_samples_option(CLI::App& command, std::size_t& samples) {
  command.add_option("--samples", samples, "How many samples of each feature")
      ->check(at_least(1))
      ->capture_default_str();
}

void add_context_option(CLI::App& command, std::optional<std::uint32_t>& context) {
  command.add_option("--context", context, "Tokens to show on each side (default: as many as were kept)")
      ->check(from_to(0, 100000));
}

void add_seed_option(CLI::App& command, std::uint64_t& seed) {
  command.add_option("--seed", seed, "Of what is left to chance: the same one gives the same result")
      ->check(from_to(0, 0xFFFFFFFF))
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

// Options that mean the same in every command that has them, and so are named and told of in one place. Those of a
// store that is read: opened_store.h.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace saetap::cli {

// For an option that takes a whole number, in decimal digits. CLI11 itself would take 010 for 8 and nothing at all for
// 0, and name the largest double as what is allowed.
[[nodiscard]] CLI::Validator at_least(std::uint64_t lowest);
[[nodiscard]] CLI::Validator from_to(std::uint64_t lowest, std::uint64_t highest);
// The number of a feature. Whether the site has it: checked_feature.
[[nodiscard]] CLI::Validator feature_number();
// For a file to write: a name, not an empty one (of an unset variable).
[[nodiscard]] CLI::Validator file_name();

// -o,--output FILE, which may be - for stdout. The default is what `output` is.
void add_output_option(CLI::App& command, std::string& output);
// -o,--output FILE: a store that is made, or the folder for it. Required.
void add_new_store_option(CLI::App& command, std::string& output);
// --force: that store may be replaced.
void add_force_option(CLI::App& command, bool& force);
// --features N,N,...: in place of those that --top and --sort choose.
void add_features_option(CLI::App& command, std::vector<std::int64_t>& features);
// --samples N. The default is what `samples` is.
void add_samples_option(CLI::App& command, std::size_t& samples);
// --context N: nothing is as many as were kept.
void add_context_option(CLI::App& command, std::optional<std::uint32_t>& context);
// --seed N. The default is what `seed` is.
void add_seed_option(CLI::App& command, std::uint64_t& seed);
// --tokenizer FILE. `otherwise`: where the text comes from without it.
void add_tokenizer_option(CLI::App& command, std::string& tokenizer, const std::string& otherwise);
void add_json_option(CLI::App& command, bool& json);

}  // namespace saetap::cli

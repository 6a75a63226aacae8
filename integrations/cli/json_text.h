// The parts that the JSON output of several commands shares; docs/json_output.md describes the fields.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <span>

#include "integrations/analysis/activating_tokens.h"
#include "integrations/analysis/excerpt.h"
#include "integrations/cli/opened_store.h"

namespace saetap::cli {

using Json = nlohmann::ordered_json;  // fields in the order they are written in

// The double that prints as the float does: 7.53, not 7.530000209808350.
[[nodiscard]] double as_printed(float value);

[[nodiscard]] Json json_of_scope(const StoredSite& site, Scope scope);
[[nodiscard]] Json json_of_statistics(const FeatureStatistics& statistics, std::uint64_t eligible);
[[nodiscard]] Json json_of_tokens(std::span<const TokenCount> tokens, const Tokenizer* tokenizer);
[[nodiscard]] Json json_of_sample(const Sample& sample, const Excerpt& excerpt);
// Of a feature at the tokens shown; null where it is not known.
[[nodiscard]] Json json_of_activations(std::span<const std::optional<float>> along);

// Bytes that are not UTF-8 become U+FFFD, so that the output is always JSON.
void write_json(std::ostream& out, const Json& object);
// The same on stdout.
void print_json(const Json& object);

}  // namespace saetap::cli

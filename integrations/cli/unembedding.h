// The option that names a model's unembedding, and what is read from it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "integrations/analysis/direction_tokens.h"
#include "integrations/cli/opened_store.h"

namespace saetap::cli {

// --unembedding FILE
void add_unembedding_option(CLI::App& command, std::string& path);

// Of a feature of the store. The file is read once, from beginning to end, and does not stay in memory. Throws Failure:
// the file is no matrix of the decoder's width, or the store has no decoder.
[[nodiscard]] DirectionTokens read_direction_tokens(const OpenedStore& store, std::uint32_t feature,
                                                    const std::string& path);

}  // namespace saetap::cli

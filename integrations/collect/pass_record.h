// What a pass is made of, kept beside its store, so that it is gone on with as it was begun.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "integrations/collect/collect_request.h"
#include "plugin/config.h"
#include "plugin/trace/token_position.h"

namespace saetap::collect {

// The calls of a pass: their sizes decide the last bits of every activation.
struct PassShape {
  std::int64_t batch = 4096;    // rows in a call of the SAE
  std::int64_t sequences = 32;  // texts in a call of the language model
  std::int64_t rows = 0;        // of the whole pass
};

// A pass that is to be gone on with.
struct EarlierPass {
  nlohmann::ordered_json facts;
  std::int64_t batch = 0;
  std::int64_t sequences = 0;
  std::int64_t site_calls = 0;  // of the first site, in a call of the SAE
  std::int64_t rows_done = 0;
  SequenceId sequence = 0;  // what its rows without tokens are named by
};

// Nothing if there is no store yet. Throws cli::Failure: the store is none of a pass, or was kept under other keys.
[[nodiscard]] std::optional<EarlierPass> earlier_pass(const std::string& folder, const Config& config);

// What has to be the same for a pass to go on: shape, sizes of files, and the bytes of the SAE; and what
// is said if it is not: how files begin and end.
[[nodiscard]] nlohmann::ordered_json pass_facts(const CollectRequest& request, const PassShape& shape);
// Throws cli::Failure that names the first fact that differs.
void check_same_pass(const EarlierPass& earlier, const nlohmann::ordered_json& facts);

// A store without this cannot be gone on with. Throws cli::Failure.
void write_pass_record(const std::string& folder, nlohmann::ordered_json facts, std::int64_t site_calls,
                       SequenceId sequence);
void remove_pass_record(const std::string& folder);

}  // namespace saetap::collect

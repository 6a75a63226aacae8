// What names a run, and where and how it saves.
#pragma once

#include <string>

#include "plugin/config.h"
#include "plugin/store/samples_json.h"
#include "plugin/store/store_writer.h"
#include "plugin/trace/token_position.h"

namespace saetap {

[[nodiscard]] RunHeader run_header(const Config& config, const std::string& program);
// The keys that say what an activation is and which of them count: what is kept under others must not be mixed.
[[nodiscard]] std::string counted_text(const Config& config);
// The sequence that rows without a token belong to: names this process, so that merging runs or ranks drops nothing.
[[nodiscard]] SequenceId unresolved_sequence();
// The JSON beside the store: samples.saetap -> samples.json.
[[nodiscard]] std::string samples_json_path(const std::string& store_path);
[[nodiscard]] SamplesJsonOptions samples_json_options(const Config& config);

}  // namespace saetap

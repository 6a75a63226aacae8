// What a samples.json says, from parsed JSON. Throws std::exception: another format, a key that is missing, a number
// that is none or too large, lists that do not belong together.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "plugin/store/samples_json.h"

namespace saetap {

// Everything but the features.
[[nodiscard]] SamplesJson samples_json_head_from(const nlohmann::json& json);
// One of the items of `top_features`.
[[nodiscard]] JsonFeature json_feature_from(const nlohmann::json& json);

}  // namespace saetap

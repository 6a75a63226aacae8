// What a samples.json says, from parsed JSON. Throws std::exception: another format, a key that is missing, a number
// that is none or too large, lists that do not belong together.
#pragma once

#include <exception>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "plugin/store/samples_json.h"

namespace saetap {

// What is wrong, in words: without the name that the JSON library gives its errors.
[[nodiscard]] std::string reason_of(const std::exception& error);

// Everything but the features.
[[nodiscard]] SamplesJson samples_json_head_from(const nlohmann::json& json);
// One of the items of `top_features`.
[[nodiscard]] JsonFeature json_feature_from(const nlohmann::json& json);

}  // namespace saetap

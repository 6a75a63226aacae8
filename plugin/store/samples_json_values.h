// What a samples.json says, from parsed JSON. Throws std::exception: another format, a key that is missing, a number
// that is none or too large, lists that do not belong together.
#pragma once

#include <exception>
#include <new>
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

// Turns what `read` finds wrong with the file into a StoreError. Memory that runs out is no fault of the file.
template <typename Read>
auto of_samples_json(const std::string& path, Read read) {
  try {
    return read();
  } catch (const StoreError&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw StoreError(path + ": not a samples.json of saetap (" + reason_of(error) + ")");
  }
}

}  // namespace saetap

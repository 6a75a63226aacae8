// Reading the options of a decoder. Each throws TokenizerError if the option is missing or of another type.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace saetap {

[[nodiscard]] std::string text_field(const nlohmann::json& description, const char* key);
[[nodiscard]] std::string character_field(const nlohmann::json& description, const char* key);  // exactly one
[[nodiscard]] bool truth_field(const nlohmann::json& description, const char* key);
[[nodiscard]] std::size_t count_field(const nlohmann::json& description, const char* key);

}  // namespace saetap

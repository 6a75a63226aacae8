#include "integrations/tokenizers/decoder_fields.h"

#include <nlohmann/json.hpp>

#include "integrations/tokenizers/tokenizer.h"
#include "integrations/tokenizers/utf8.h"

namespace saetap {
namespace {

// make_decoder has seen that the description has a type.
[[noreturn]] void refuse(const nlohmann::json& description, const char* key, const char* wanted) {
  throw TokenizerError("its " + description["type"].get<std::string>() + " decoder lacks " + wanted + " \"" + key +
                       "\"");
}

}  // namespace

std::string text_field(const nlohmann::json& description, const char* key) {
  const auto found = description.find(key);
  if (found == description.end() || !found->is_string()) refuse(description, key, "a text");
  return found->get<std::string>();
}

std::string character_field(const nlohmann::json& description, const char* key) {
  std::string text = text_field(description, key);
  if (text.empty() || utf8_start(text).bytes != text.size()) refuse(description, key, "a single character");
  return text;
}

bool truth_field(const nlohmann::json& description, const char* key) {
  const auto found = description.find(key);
  if (found == description.end() || !found->is_boolean()) refuse(description, key, "a true/false");
  return found->get<bool>();
}

std::size_t count_field(const nlohmann::json& description, const char* key) {
  const auto found = description.find(key);
  if (found == description.end() || !found->is_number_unsigned()) refuse(description, key, "a count");
  return found->get<std::size_t>();
}

}  // namespace saetap

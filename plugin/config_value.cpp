#include "plugin/config_value.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace saetap {
namespace {

using Json = nlohmann::json;

constexpr int kDeepest = 64;             // foreign parts of a trainer's config may nest; none does so deeply
constexpr std::size_t kShownBytes = 40;  // of a wrong value
constexpr std::size_t kShownKey = 100;   // and of the path of its key

// What was given, as the user wrote it, short enough for one line.
std::string shown(const Json& json) {
  if (json.is_object()) return "an object";
  if (json.is_array()) return "a list";
  std::string text = json.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > kShownBytes) text = text.substr(0, kShownBytes) + "...";
  return text;
}

// 6 digits, or as many as a whole number has: "0.1", "1000000".
std::string plain(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.10g", number);
  return text;
}

std::string place_of(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, byte > 0 ? std::min(byte - 1, text.size()) : 0);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t newline = before.rfind('\n');
  const std::size_t column = newline == std::string_view::npos ? before.size() + 1 : before.size() - newline;
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

}  // namespace

Json parse_config_json(std::string_view text) {
  const auto limit_depth = [](int depth, Json::parse_event_t, const Json&) {
    if (depth > kDeepest) throw ConfigError("config: nested more than " + std::to_string(kDeepest) + " levels deep");
    return true;
  };
  if (text.size() > kLargestConfig) {
    throw ConfigError("config: larger than " + std::to_string(kLargestConfig >> 20) + " MiB");
  }
  if (const std::size_t zero = text.find('\0'); zero != text.npos) {  // for the parser the text would end there
    throw ConfigError("config: not valid JSON at " + place_of(text, zero + 1));
  }
  try {
    return Json::parse(text.begin(), text.end(), limit_depth);
  } catch (const Json::parse_error& error) {
    throw ConfigError("config: not valid JSON at " + place_of(text, error.byte));
  } catch (const Json::exception&) {  // the only other one that parsing throws
    throw ConfigError("config: a number is too large");
  }
}

void ConfigValue::refuse(std::string_view allowed) const {
  const std::string where = path_.empty() ? "config" : "config key " + quoted_path();
  throw ConfigError(where + ": got " + shown(*json_) + ", allowed is " + std::string(allowed));
}

std::string ConfigValue::quoted_path() const {
  const std::string shown = path_.size() > kShownKey ? path_.substr(0, kShownKey) + "..." : path_;
  return Json(shown).dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool ConfigValue::boolean() const {
  if (!json_->is_boolean()) refuse("true or false");
  return json_->get<bool>();
}

std::int64_t ConfigValue::whole(std::int64_t least, std::int64_t most, std::string_view allowed) const {
  const std::string usual = "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  if (allowed.empty()) allowed = usual;
  if (!json_->is_number()) refuse(allowed);
  // All limits are far below 2^53, so a double tells every number within them apart.
  const auto number = json_->get<double>();
  const bool within = number >= static_cast<double>(least) && number <= static_cast<double>(most);
  if (!within || number != std::floor(number)) refuse(allowed);
  return static_cast<std::int64_t>(number);
}

double ConfigValue::number(double least, double most) const {
  const std::string allowed = "a number from " + plain(least) + " to " + plain(most);
  if (!json_->is_number()) refuse(allowed);
  const auto number = json_->get<double>();
  if (!(number >= least && number <= most)) refuse(allowed);  // NaN too
  return number;
}

std::string ConfigValue::text(std::size_t least) const {
  const std::string_view allowed = least > 0 ? "a text that is not empty" : "a text";
  if (!json_->is_string()) refuse(allowed);
  auto text = json_->get<std::string>();
  if (text.size() < least || text.find('\0') != std::string::npos) refuse(allowed);
  return text;
}

bool ConfigValue::is_text(std::string_view text) const {
  return json_->is_string() && json_->get_ref<const std::string&>() == text;
}

std::size_t ConfigValue::one_of(std::span<const std::string_view> names) const {
  std::string allowed = "one of";
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (is_text(names[i])) return i;
    allowed += (i == 0 ? " \"" : ", \"") + std::string(names[i]) + "\"";
  }
  refuse(allowed);
}

std::vector<ConfigValue> ConfigValue::items(std::string_view allowed) const {
  if (!json_->is_array()) refuse(allowed);
  std::vector<ConfigValue> items;
  for (const Json& item : *json_) {
    const std::string key = std::to_string(items.size());
    items.push_back({item, key, path_ + "[" + key + "]"});
  }
  return items;
}

std::string ConfigValue::object_text() const {
  if (!json_->is_object()) refuse("an object");
  return json_->dump();
}

std::vector<ConfigValue> ConfigValue::members() const {
  if (!json_->is_object()) refuse("an object");
  std::vector<ConfigValue> members;
  for (const auto& [key, value] : json_->items()) {
    members.push_back({value, key, path_.empty() ? key : path_ + "." + key});
  }
  return members;
}

}  // namespace saetap

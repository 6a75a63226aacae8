// A JSON value together with its place in the config, so that every error can name the key and what it got.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/config.h"

namespace saetap {

// Parses the text of a config. Throws ConfigError: not JSON, not UTF-8, nested deeper or larger than any config is. Of
// a key that stands twice in an object the last one counts, as for Python's reader.
[[nodiscard]] nlohmann::json parse_config_json(std::string_view text);

// A view: the JSON must outlive it. What cannot be read as asked for is a ConfigError.
class ConfigValue {
 public:
  // The whole config; an object.
  explicit ConfigValue(const nlohmann::json& root) : json_(&root) {}

  [[nodiscard]] bool boolean() const;
  // A whole number from `least` to `most`; 1e6 is one. `allowed`: how an error says so, if not in the usual words.
  [[nodiscard]] std::int64_t whole(std::int64_t least, std::int64_t most, std::string_view allowed = {}) const;
  [[nodiscard]] double number(double least, double most) const;
  // A text of at least `least` bytes and no zero byte.
  [[nodiscard]] std::string text(std::size_t least) const;
  [[nodiscard]] bool is_text(std::string_view text) const;
  // The index of the text in `names`.
  [[nodiscard]] std::size_t one_of(std::span<const std::string_view> names) const;
  [[nodiscard]] std::vector<ConfigValue> items(std::string_view allowed) const;
  [[nodiscard]] std::vector<ConfigValue> members() const;
  // The text of an object, for who reads it by itself.
  [[nodiscard]] std::string object_text() const;

  [[nodiscard]] const std::string& key() const { return key_; }  // within its object
  // With the keys above it, as it stands in a message: "saetap.tokens.buffer_rows", in quotes, on one line.
  [[nodiscard]] std::string quoted_path() const;
  [[noreturn]] void refuse(std::string_view allowed) const;

 private:
  ConfigValue(const nlohmann::json& json, std::string key, std::string path)
      : json_(&json), key_(std::move(key)), path_(std::move(path)) {}

  const nlohmann::json* json_;
  std::string key_;
  std::string path_;
};

}  // namespace saetap

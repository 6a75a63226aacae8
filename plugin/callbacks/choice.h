// The config key `callbacks`: who is told of what is found.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace saetap {

class ConfigValue;

// Events as lines of JSON: docs/json_output.md.
struct JsonLinesOptions {
  std::string path;        // from the store's folder; empty: events.jsonl
  std::int64_t every = 1;  // of each site's calls, every n-th
  bool samples = false;    // those, too, that may enter what is kept
};
struct ProgressOptions {
  std::int64_t seconds = 60;  // between two lines
};
// What is told of everything that is found. Statistics are always kept.
struct CallbackChoice {
  bool top_samples = true;
  bool random_samples = true;
  std::optional<JsonLinesOptions> jsonl;
  std::optional<ProgressOptions> progress;
};

// A list of objects with a "name" and, if need be, "options". If none of the keepers (top_samples, random_samples,
// statistics) is named, all of them are meant. Throws ConfigError.
[[nodiscard]] CallbackChoice read_callbacks(const ConfigValue& value);

}  // namespace saetap

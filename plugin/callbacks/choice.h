// The config key `callbacks`: who is told of what is found.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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
// Somebody's own, in a library that exports saetap_callback_open: see plugin/saetap.h.
struct LibraryOptions {
  std::string path;     // as for dlopen()
  std::string options;  // JSON text of an object, for the library
};
// What is told of everything that is found. Statistics are always kept.
struct CallbackChoice {
  bool top_samples = true;
  bool random_samples = true;
  std::vector<LibraryOptions> libraries;
  std::optional<JsonLinesOptions> jsonl;
  std::optional<ProgressOptions> progress;
};

// A list of objects with a "name" or the path of a "library" and, if need be, "options". If none of the keepers
// (top_samples, random_samples, statistics) is named, all of them are meant. Throws ConfigError.
[[nodiscard]] CallbackChoice read_callbacks(const ConfigValue& value);

}  // namespace saetap

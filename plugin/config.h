// The config keys: their defaults, their meaning, and what is said when one is wrong.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/collect/windows.h"

namespace saetap {

enum class RankBy : std::uint8_t { max_activation, mean, density, count };
enum class LogLevel : std::uint8_t { error, warning, info, debug };

// What an activation of a feature is. Some libraries speak of it in units of what it adds to the output.
enum class ActivationScale : std::uint8_t {
  decoder_input,  // the number that enters the decoder
  decoder_norm,   // that number times the norm of the feature's decoder direction
};

// What to hook where the analysis of a module is not sure, or not right.
struct HookRule {
  std::string module;  // unmangled type, "TopKSAE"; empty: any
  std::string method;  // empty: any
  std::string value;   // the site, as `saetap inspect` names it, or kHookNothing
};
inline constexpr const char* kHookNothing = "none";
// The rule as it is written in a config.
[[nodiscard]] std::string hook_rule_json(const HookRule& rule);

struct TokenOptions {
  std::vector<std::int32_t> ignore_token_ids;  // never a sample, never counted; stripped from the ends of a sequence
  std::int64_t ignore_first_positions = 0;     // of a stripped sequence
  std::int64_t buffer_rows = 1 << 21;          // rows of the language model remembered, the newest
};

struct Config {
  bool save_activation_samples = false;
  std::int64_t sample_collection_freq = 1;
  std::int64_t max_samples_per_feature = 100;
  std::int64_t sample_context_size = 20;
  double sample_activation_threshold = 0.1;
  std::int64_t top_features_to_save = 100;
  std::int64_t samples_per_feature_to_save = 10;

  std::string output_dir = "activation_samples";
  std::vector<HookRule> hooks;
  ActivationScale activation_scale = ActivationScale::decoder_input;
  TokenOptions tokens;
  std::string tokenizer;  // path of the model's tokenizer.json; empty: ids are shown
  WindowRule sample_window_steps;
  std::int64_t checkpoint_seconds = 300;
  bool collect_train = true;  // "phases"
  bool collect_eval = true;
  RankBy rank_features_by = RankBy::max_activation;
  bool save_decoder = true;
  LogLevel log_level = LogLevel::info;

  // Lines to be told though nothing is wrong: a top-level key that looks like a misspelt one of the seven.
  std::vector<std::string> warnings;
};

// One line: the key, what was given, what is allowed, and the nearest known key.
class ConfigError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Reads config keys from JSON text: the seven keys of the original system at the top level (foreign keys are ignored
// there), and any key inside an object "saetap", where an unknown one is an error. A key in "saetap" wins over the same
// key at the top level. `collect_by_default`: the value of save_activation_samples when no key says it.
// Throws ConfigError.
[[nodiscard]] Config parse_config(std::string_view json_text, bool collect_by_default = false);

// The same from a file. Throws ConfigError, also when the file cannot be read.
[[nodiscard]] Config load_config(const std::string& path, bool collect_by_default = false);

}  // namespace saetap

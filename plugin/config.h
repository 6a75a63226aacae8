// The config keys: their defaults, their meaning, and what is said when one is wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/callbacks/choice.h"
#include "plugin/collect/windows.h"

namespace saetap {

enum class RankBy : std::uint8_t { max_activation, mean, density, count };
// What a store leaves out of the text trained on.
enum class Redact : std::uint8_t {
  nothing,  // "none"
  text,     // "text": token ids stay
  tokens,   // "tokens": ids of sequences and positions stay, for who has the text
};
[[nodiscard]] std::string_view name_of(Redact redact);

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

// Where the tokens of an SAE's rows come from. Each but the first two allows that one alone.
enum class TokenSourceChoice : std::uint8_t {
  automatic,    // "auto": the first that the rows themselves show to be right
  none,         // samples have no tokens
  told,         // the program calls saetap_set_tokens
  in_step,      // a call has the rows of the model's call before it, in order: not checked
  fingerprint,  // rows are found in what a language model returned
  file,         // rows are found in what `saetap index` read
};

struct TokenOptions {
  TokenSourceChoice source = TokenSourceChoice::automatic;
  std::string module;              // unmangled type of the language model; empty: any module that takes tokens
  std::vector<std::string> index;  // files written by `saetap index`
  // Never a sample, never counted; stripped from the ends of a document. Not given: the tokenizer's special tokens.
  std::optional<std::vector<std::int32_t>> ignore_token_ids;
  // No context reaches across one. Not given: those that the tokenizer puts around text; without a tokenizer, all
  // ignored ones.
  std::optional<std::vector<std::int32_t>> document_boundary_ids;
  std::int64_t ignore_first_positions = 0;  // of each document
  std::int64_t buffer_rows = 1 << 21;       // rows of a language model's output remembered, the newest
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
  std::string tokenizer;  // path of the model's tokenizer, of any format it comes in; empty: ids are shown
  WindowRule sample_window_steps;
  std::int64_t random_samples_per_feature = 64;
  std::int64_t max_samples_per_sequence = 0;  // of a feature; 0: no limit
  bool collapse_near_duplicates = false;      // of samples with the same text around them, only the strongest
  std::int64_t max_memory_mb = 4096;          // for all that is kept; 0: no bound
  bool resume = false;                        // goes on with the store that is there
  std::int64_t checkpoint_seconds = 300;
  std::int64_t exit_seconds = 120;  // that saving may hold up the end of the program
  bool collect_train = true;        // "phases"
  bool collect_eval = true;
  RankBy rank_features_by = RankBy::max_activation;
  bool save_decoder = true;
  Redact redact = Redact::nothing;
  CallbackChoice callbacks;
  LogLevel log_level = LogLevel::info;

  // Lines to be told though nothing is wrong: a top-level key that looks like a misspelt one of the seven.
  std::vector<std::string> warnings;
};

// Of a config's text, a trainer's own keys included.
inline constexpr std::size_t kLargestConfig = std::size_t{4} << 20;

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

#include "plugin/config.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <span>

#include "plugin/config_value.h"
#include "plugin/edit_distance.h"
#include "plugin/file_content.h"

namespace saetap {
namespace {

// A key and how its value gets into a Config. `name` is the whole path of the key, as people know it.
struct Key {
  std::string_view name;
  void (*read)(Config& config, const ConfigValue& value);
};

void read_window(Config& config, const ConfigValue& value) {
  constexpr std::int64_t kMostSteps = 1'000'000'000'000;
  if (value.is_text("auto")) {
    config.sample_window_steps = {WindowRule::Kind::growing, 0};
    return;
  }
  const std::int64_t steps = value.whole(0, kMostSteps, "\"auto\" or a whole number from 0 to 1000000000000");
  const auto kind = steps == 0 ? WindowRule::Kind::single : WindowRule::Kind::fixed;
  config.sample_window_steps = {kind, static_cast<std::uint64_t>(steps)};
}

void read_phases(Config& config, const ConfigValue& value) {
  constexpr const char* kAllowed = "a list of \"train\", \"eval\" or both";
  bool train = false;
  bool eval = false;
  for (const ConfigValue& phase : value.items(kAllowed)) {
    train |= phase.is_text("train");
    eval |= phase.is_text("eval");
    if (!phase.is_text("train") && !phase.is_text("eval")) phase.refuse("\"train\" or \"eval\"");
  }
  if (!train && !eval) value.refuse(kAllowed);
  config.collect_train = train;
  config.collect_eval = eval;
}

HookRule read_hook(const ConfigValue& rule) {
  HookRule hook;
  for (const ConfigValue& member : rule.members()) {
    if (member.key() == "module") {
      hook.module = member.text(1);
    } else if (member.key() == "method") {
      hook.method = member.text(1);
    } else if (member.key() == "value") {
      hook.value = member.text(1);
    } else {
      member.refuse("one of the keys \"module\", \"method\", \"value\"");
    }
  }
  if (hook.value.empty()) rule.refuse("an object with a \"value\", the site that `saetap inspect` names, or \"none\"");
  return hook;
}

void read_hooks(Config& config, const ConfigValue& value) {
  config.hooks.clear();
  for (const ConfigValue& rule : value.items("a list of objects")) config.hooks.push_back(read_hook(rule));
}

void read_scale(Config& config, const ConfigValue& value) {
  static constexpr std::array<std::string_view, 2> kNames{"decoder_input", "decoder_norm"};
  config.activation_scale = static_cast<ActivationScale>(value.one_of(kNames));
}

std::vector<std::int32_t> token_ids(const ConfigValue& value) {
  std::vector<std::int32_t> ids;
  for (const ConfigValue& id : value.items("a list of token ids")) {
    ids.push_back(static_cast<std::int32_t>(id.whole(0, 2147483647)));
  }
  return ids;
}

void read_token_source(Config& config, const ConfigValue& value) {
  static constexpr std::array<std::string_view, 6> kNames{"auto", "none", "told", "in_step", "fingerprint", "file"};
  config.tokens.source = static_cast<TokenSourceChoice>(value.one_of(kNames));
}

void read_token_index(Config& config, const ConfigValue& value) {
  config.tokens.index.clear();
  for (const ConfigValue& path : value.items("a list of files that `saetap index` wrote")) {
    config.tokens.index.push_back(path.text(1));
  }
}

void read_rank(Config& config, const ConfigValue& value) {
  static constexpr std::array<std::string_view, 4> kNames{"max_activation", "mean", "density", "count"};
  config.rank_features_by = static_cast<RankBy>(value.one_of(kNames));
}

constexpr std::array<std::string_view, 3> kRedactNames{"none", "text", "tokens"};

void read_redact(Config& config, const ConfigValue& value) {
  config.redact = static_cast<Redact>(value.one_of(kRedactNames));
}

void read_log_level(Config& config, const ConfigValue& value) {
  static constexpr std::array<std::string_view, 4> kNames{"error", "warning", "info", "debug"};
  config.log_level = static_cast<LogLevel>(value.one_of(kNames));
}

// The seven keys of the original system; they may stand at the top level.
constexpr std::array<Key, 7> kOriginalKeys{{
    {"save_activation_samples", [](Config& c, const ConfigValue& v) { c.save_activation_samples = v.boolean(); }},
    {"sample_collection_freq",
     [](Config& c, const ConfigValue& v) { c.sample_collection_freq = v.whole(1, 1'000'000'000); }},
    {"max_samples_per_feature",
     [](Config& c, const ConfigValue& v) { c.max_samples_per_feature = v.whole(1, 1'000'000); }},
    {"sample_context_size", [](Config& c, const ConfigValue& v) { c.sample_context_size = v.whole(0, 100'000); }},
    {"sample_activation_threshold",
     [](Config& c, const ConfigValue& v) { c.sample_activation_threshold = v.number(0, 1'000'000); }},
    {"top_features_to_save", [](Config& c, const ConfigValue& v) { c.top_features_to_save = v.whole(0, 100'000'000); }},
    {"samples_per_feature_to_save",
     [](Config& c, const ConfigValue& v) { c.samples_per_feature_to_save = v.whole(0, 1'000'000); }},
}};

constexpr std::array<Key, 19> kOwnKeys{{
    {"hooks", read_hooks},
    {"activation_scale", read_scale},
    {"output_dir", [](Config& c, const ConfigValue& v) { c.output_dir = v.text(1); }},
    {"tokens", nullptr},  // an object: kTokenKeys
    {"tokenizer", [](Config& c, const ConfigValue& v) { c.tokenizer = v.text(0); }},
    {"sample_window_steps", read_window},
    {"random_samples_per_feature",
     [](Config& c, const ConfigValue& v) { c.random_samples_per_feature = v.whole(0, 100'000); }},
    {"max_samples_per_sequence",
     [](Config& c, const ConfigValue& v) { c.max_samples_per_sequence = v.whole(0, 1'000'000); }},
    {"collapse_near_duplicates", [](Config& c, const ConfigValue& v) { c.collapse_near_duplicates = v.boolean(); }},
    {"max_memory_mb", [](Config& c, const ConfigValue& v) { c.max_memory_mb = v.whole(0, 1'000'000'000); }},
    {"resume", [](Config& c, const ConfigValue& v) { c.resume = v.boolean(); }},
    {"checkpoint_seconds", [](Config& c, const ConfigValue& v) { c.checkpoint_seconds = v.whole(1, 1'000'000); }},
    {"exit_seconds", [](Config& c, const ConfigValue& v) { c.exit_seconds = v.whole(1, 1'000'000); }},
    {"phases", read_phases},
    {"rank_features_by", read_rank},
    {"save_decoder", [](Config& c, const ConfigValue& v) { c.save_decoder = v.boolean(); }},
    {"redact", read_redact},
    {"callbacks", [](Config& c, const ConfigValue& v) { c.callbacks = read_callbacks(v); }},
    {"log_level", read_log_level},
}};

constexpr std::array<Key, 7> kTokenKeys{{
    {"source", read_token_source},
    {"module", [](Config& c, const ConfigValue& v) { c.tokens.module = v.text(1); }},
    {"index", read_token_index},
    {"ignore_token_ids", [](Config& c, const ConfigValue& v) { c.tokens.ignore_token_ids = token_ids(v); }},
    {"document_boundary_ids", [](Config& c, const ConfigValue& v) { c.tokens.document_boundary_ids = token_ids(v); }},
    {"ignore_first_positions",
     [](Config& c, const ConfigValue& v) { c.tokens.ignore_first_positions = v.whole(0, 1'000'000); }},
    {"buffer_rows", [](Config& c, const ConfigValue& v) { c.tokens.buffer_rows = v.whole(1, 1'000'000'000); }},
}};

const Key* find(std::span<const Key> keys, std::string_view name) {
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const Key& key) { return key.name == name; });
  return found == keys.end() ? nullptr : &*found;
}

std::string_view nearest(std::span<const Key> keys, std::string_view name) {
  constexpr std::size_t kLongest = 64;  // no key is as long; one of megabytes is not to be compared with each of them
  name = name.substr(0, kLongest);
  return std::min_element(
             keys.begin(), keys.end(),
             [&](const Key& a, const Key& b) { return edit_distance(a.name, name) < edit_distance(b.name, name); })
      ->name;
}

// Every key of an object that has to be known.
void read_object(Config& config, const ConfigValue& object, std::span<const Key> keys) {
  for (const ConfigValue& member : object.members()) {
    const Key* key = find(keys, member.key());
    if (key == nullptr) {
      throw ConfigError("config key " + member.quoted_path() + ": unknown; nearest known key is \"" +
                        std::string(nearest(keys, member.key())) + "\"");
    }
    if (key->read != nullptr) {
      key->read(config, member);
    } else {
      read_object(config, member, kTokenKeys);
    }
  }
}

void read_top_level(Config& config, const ConfigValue& object) {
  constexpr std::size_t kMisspelt = 2;
  for (const ConfigValue& member : object.members()) {
    if (const Key* key = find(kOriginalKeys, member.key())) {
      key->read(config, member);
      continue;
    }
    const std::string_view meant = nearest(kOriginalKeys, member.key());
    if (edit_distance(meant, member.key()) <= kMisspelt) {
      config.warnings.push_back("config key " + member.quoted_path() + ": ignored; did you mean \"" +
                                std::string(meant) + "\"?");
    }
  }
}

}  // namespace

std::string_view name_of(Redact redact) {
  return kRedactNames[static_cast<std::size_t>(redact)];
}

std::string hook_rule_json(const HookRule& rule) {
  const nlohmann::ordered_json json{{"module", rule.module}, {"method", rule.method}, {"value", rule.value}};
  return "\"hooks\": [" + json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "]";
}

Config parse_config(std::string_view json_text, bool collect_by_default) {
  const nlohmann::json json = parse_config_json(json_text);
  const ConfigValue root(json);
  Config config;
  config.save_activation_samples = collect_by_default;
  read_top_level(config, root);
  std::vector<Key> all(kOriginalKeys.begin(), kOriginalKeys.end());
  all.insert(all.end(), kOwnKeys.begin(), kOwnKeys.end());
  for (const ConfigValue& member : root.members()) {
    if (member.key() == "saetap") read_object(config, member, all);
  }
  if (config.tokens.source == TokenSourceChoice::file && config.tokens.index.empty()) {
    throw ConfigError("config key \"saetap.tokens.source\": is \"file\", and \"saetap.tokens.index\" names no file");
  }
  if (config.collapse_near_duplicates && config.max_samples_per_sequence > 0) {
    throw ConfigError(
        "config keys \"saetap.collapse_near_duplicates\" and \"saetap.max_samples_per_sequence\": one of them at a "
        "time; what is kept under both could not be exact");
  }
  return config;
}

Config load_config(const std::string& path, bool collect_by_default) {
  try {
    return parse_config(file_content(path, kLargestConfig), collect_by_default);
  } catch (const FileError& error) {
    throw ConfigError(path + ": cannot be read (" + error.what() + ")");
  } catch (const ConfigError& error) {
    const bool yaml = path.ends_with(".yaml") || path.ends_with(".yml");
    throw ConfigError(path + ": " + error.what() + (yaml ? "; configs are JSON, YAML is not read" : ""));
  }
}

}  // namespace saetap

// The tables of docs/user_guide.md against what parse_config does.
#include <doctest/doctest.h>

#include <array>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

#include "plugin/config.h"

using namespace saetap;
using Json = nlohmann::json;

namespace {

struct Row {
  std::string key, type, standard, allowed;
};

std::string without_marks(std::string cell) {
  std::erase(cell, '`');
  return cell;
}

std::vector<Row> rows_of_the_guide() {
  std::vector<Row> rows;
  std::ifstream guide(SAETAP_GUIDE);
  const std::regex row(R"(\| `([a-z_.]+)` \| ([a-z ]+) \| (.*?) \| (.*?) \| .* \|)");
  std::smatch cells;
  for (std::string line; std::getline(guide, line);) {
    if (std::regex_match(line, cells, row)) rows.push_back({cells[1], cells[2], cells[3], cells[4]});
  }
  return rows;
}

// As it would stand in a config file.
std::map<std::string, Json> defaults() {
  const Config config;
  const std::array ranks{"max_activation", "mean", "density", "count"};
  const std::array scales{"decoder_input", "decoder_norm"};
  const std::array levels{"error", "warning", "info", "debug"};
  const auto at = [](const auto& names, auto value) { return names[static_cast<std::size_t>(value)]; };
  return {{"save_activation_samples", config.save_activation_samples},
          {"sample_collection_freq", config.sample_collection_freq},
          {"max_samples_per_feature", config.max_samples_per_feature},
          {"sample_context_size", config.sample_context_size},
          {"sample_activation_threshold", config.sample_activation_threshold},
          {"top_features_to_save", config.top_features_to_save},
          {"samples_per_feature_to_save", config.samples_per_feature_to_save},
          {"output_dir", config.output_dir},
          {"tokenizer", config.tokenizer},
          {"hooks", config.hooks.empty() ? Json::array() : Json()},
          {"activation_scale", at(scales, config.activation_scale)},
          {"tokens", Json::object()},
          {"sample_window_steps", config.sample_window_steps.kind == WindowRule::Kind::growing ? "auto" : ""},
          {"random_samples_per_feature", config.random_samples_per_feature},
          {"max_samples_per_sequence", config.max_samples_per_sequence},
          {"collapse_near_duplicates", config.collapse_near_duplicates},
          {"max_memory_mb", config.max_memory_mb},
          {"resume", config.resume},
          {"checkpoint_seconds", config.checkpoint_seconds},
          {"exit_seconds", config.exit_seconds},
          {"phases", config.collect_train && config.collect_eval ? Json{"train", "eval"} : Json()},
          {"rank_features_by", at(ranks, config.rank_features_by)},
          {"save_decoder", config.save_decoder},
          {"redact", name_of(config.redact)},
          {"callbacks", config.callbacks.libraries.empty() && !config.callbacks.jsonl ? Json::array() : Json()},
          {"log_level", at(levels, config.log_level)},
          {"tokens.source", config.tokens.source == TokenSourceChoice::automatic ? "auto" : ""},
          {"tokens.module", config.tokens.module},
          {"tokens.index", config.tokens.index},
          {"tokens.ignore_token_ids", config.tokens.ignore_token_ids ? Json::array() : Json()},
          {"tokens.document_boundary_ids", config.tokens.document_boundary_ids ? Json::array() : Json()},
          {"tokens.ignore_first_positions", config.tokens.ignore_first_positions},
          {"tokens.buffer_rows", config.tokens.buffer_rows}};
}

bool is_taken(const std::string& key, const Json& value) {
  const bool nested = key.starts_with("tokens.");
  const Json object{{nested ? key.substr(7) : key, value}};
  try {
    (void)parse_config(Json{{"saetap", nested ? Json{{"tokens", object}} : object}}.dump());
    return true;
  } catch (const ConfigError&) {
    return false;
  }
}

}  // namespace

TEST_CASE("the guide has every key of the config with its default") {
  const auto expected = defaults();
  std::map<std::string, Json> told;
  for (const Row& row : rows_of_the_guide()) {
    // What a tokenizer decides has no value of its own.
    told[row.key] = row.standard.starts_with('`') ? Json::parse(without_marks(row.standard)) : Json();
  }
  CHECK(told.size() == expected.size());
  for (const auto& one : expected) {
    const std::string& key = one.first;
    const Json& standard = one.second;
    CAPTURE(key);
    REQUIRE(told.contains(key));
    CHECK(told[key] == standard);
    if (!standard.is_null() && standard != "" && key != "save_activation_samples") CHECK(is_taken(key, standard));
  }
}

TEST_CASE("what the guide says is allowed is taken, and what lies beside it is refused") {
  const std::regex range(R"((.* )?(\d+) to (\d+))"), word("\"([a-z_]+)\"");
  std::size_t tried = 0;
  for (const Row& row : rows_of_the_guide()) {
    CAPTURE(row.key);
    std::smatch found;
    if (std::regex_search(row.allowed, found, range)) {
      const std::int64_t low = std::stoll(found[2]), high = std::stoll(found[3]);
      for (const std::int64_t inside : {low, high}) CHECK(is_taken(row.key, inside));
      for (const std::int64_t outside : {low - 1, high + 1}) CHECK_FALSE(is_taken(row.key, outside));
      ++tried;
    }
    if (row.type == "boolean") CHECK((is_taken(row.key, true) && is_taken(row.key, false) && !is_taken(row.key, 1)));
    const bool listed = row.type == "list";
    for (std::sregex_iterator at(row.allowed.begin(), row.allowed.end(), word), end; at != end; ++at, ++tried) {
      const std::string value = (*at)[1];
      if (value == "file" && row.key == "tokens.source") continue;  // needs tokens.index
      CAPTURE(value);
      CHECK(is_taken(row.key, listed ? Json{value} : Json(value)));
      CHECK_FALSE(is_taken(row.key, listed ? Json{value + "x"} : Json(value + "x")));
    }
  }
  CHECK(tried > 35);
}

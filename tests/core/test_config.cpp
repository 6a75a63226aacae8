#include <doctest/doctest.h>

#include <fstream>
#include <string>

#include "plugin/config.h"
#include "plugin/edit_distance.h"
#include "tests/core/pipeline.h"

using namespace saetap;

namespace {

std::string refusal(const std::string& json) {
  try {
    (void)parse_config(json);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("an empty config has the documented defaults") {
  const Config config = parse_config("{}");
  CHECK_FALSE(config.save_activation_samples);
  CHECK(config.sample_collection_freq == 1);
  CHECK(config.max_samples_per_feature == 100);
  CHECK(config.sample_context_size == 20);
  CHECK(config.sample_activation_threshold == 0.1);
  CHECK(config.top_features_to_save == 100);
  CHECK(config.samples_per_feature_to_save == 10);
  CHECK(config.output_dir == "activation_samples");
  CHECK(config.sample_window_steps.kind == WindowRule::Kind::growing);
  CHECK(config.random_samples_per_feature == 64);
  CHECK(config.max_samples_per_sequence == 0);
  CHECK_FALSE(config.collapse_near_duplicates);
  CHECK(config.max_memory_mb == 4096);
  CHECK(config.checkpoint_seconds == 300);
  CHECK(config.exit_seconds == 120);
  CHECK(config.redact == Redact::nothing);
  CHECK(config.collect_train);
  CHECK(config.collect_eval);
  CHECK(config.rank_features_by == RankBy::max_activation);
  CHECK(config.save_decoder);
  CHECK(config.log_level == LogLevel::info);
  CHECK(parse_config("{}", true).save_activation_samples);
  CHECK_FALSE(parse_config(R"({"save_activation_samples": false})", true).save_activation_samples);
}

TEST_CASE("what is left out of a store, and how long the end may take") {
  CHECK(parse_config(R"({"saetap": {"redact": "text"}})").redact == Redact::text);
  CHECK(parse_config(R"({"saetap": {"redact": "tokens"}})").redact == Redact::tokens);
  CHECK(parse_config(R"({"saetap": {"redact": "none"}})").redact == Redact::nothing);
  CHECK(refusal(R"({"saetap": {"redact": true}})").find("\"none\"") != std::string::npos);
  CHECK(parse_config(R"({"saetap": {"exit_seconds": 7}})").exit_seconds == 7);
  CHECK(refusal(R"({"saetap": {"exit_seconds": 0}})").find("exit_seconds") != std::string::npos);
}

TEST_CASE("the seven keys are read among a trainer's own, and \"saetap\" wins") {
  const Config config = parse_config(R"({
    "lr": 3e-4, "layers": [1, {"deep": null}], "save_activation_samples": true, "sample_collection_freq": 5,
    "max_samples_per_feature": 1e2, "sample_context_size": 8, "sample_activation_threshold": 0,
    "top_features_to_save": 7, "samples_per_feature_to_save": 3,
    "saetap": {"sample_context_size": 9, "output_dir": "out", "tokens": {"ignore_token_ids": [0, 101], "ignore_first_positions": 1,
               "buffer_rows": 5000}, "tokenizer": "t.json", "sample_window_steps": 40, "checkpoint_seconds": 5,
               "phases": ["eval"], "rank_features_by": "density", "save_decoder": false, "log_level": "debug"}})");
  CHECK(config.save_activation_samples);
  CHECK(config.sample_collection_freq == 5);
  CHECK(config.max_samples_per_feature == 100);
  CHECK(config.sample_context_size == 9);
  CHECK(config.sample_activation_threshold == 0);
  CHECK(config.top_features_to_save == 7);
  CHECK(config.samples_per_feature_to_save == 3);
  CHECK(config.output_dir == "out");
  CHECK(config.tokens.ignore_token_ids == std::vector<std::int32_t>{0, 101});
  CHECK(config.tokens.ignore_first_positions == 1);
  CHECK(config.tokens.buffer_rows == 5000);
  CHECK(config.tokenizer == "t.json");
  CHECK(config.sample_window_steps.kind == WindowRule::Kind::fixed);
  CHECK(config.sample_window_steps.fixed_steps == 40);
  CHECK(config.checkpoint_seconds == 5);
  CHECK_FALSE(config.collect_train);
  CHECK(config.collect_eval);
  CHECK(config.rank_features_by == RankBy::density);
  CHECK_FALSE(config.save_decoder);
  CHECK(config.log_level == LogLevel::debug);
  CHECK(config.warnings.empty());
  const Config limited = parse_config(
      R"({"saetap": {"random_samples_per_feature": 0, "max_samples_per_sequence": 2, "max_memory_mb": 300}})");
  CHECK(limited.random_samples_per_feature == 0);
  CHECK(limited.max_samples_per_sequence == 2);
  CHECK(limited.max_memory_mb == 300);
  CHECK(parse_config(R"({"saetap": {"collapse_near_duplicates": true}})").collapse_near_duplicates);
  CHECK(parse_config(R"({"saetap": {"sample_window_steps": 0}})").sample_window_steps.kind == WindowRule::Kind::single);
}

TEST_CASE("a wrong config is refused in one exact line") {
  CHECK(refusal(R"({"saetap": {"max_samples_per_featur": 5}})") ==
        "config key \"saetap.max_samples_per_featur\": unknown; nearest known key is \"max_samples_per_feature\"");
  CHECK(refusal(R"({"saetap": {"tokens": {"ignore_tokens": []}}})") ==
        "config key \"saetap.tokens.ignore_tokens\": unknown; nearest known key is \"ignore_token_ids\"");
  CHECK(refusal(R"({"max_samples_per_feature": "many"})") ==
        "config key \"max_samples_per_feature\": got \"many\", allowed is a whole number from 1 to 1000000");
  CHECK(refusal(R"({"saetap": {"sample_collection_freq": 0}})") ==
        "config key \"saetap.sample_collection_freq\": got 0, allowed is a whole number from 1 to 1000000000");
  CHECK(refusal(R"({"sample_context_size": 1.5})") ==
        "config key \"sample_context_size\": got 1.5, allowed is a whole number from 0 to 100000");
  CHECK(refusal(R"({"save_activation_samples": "yes"})") ==
        "config key \"save_activation_samples\": got \"yes\", allowed is true or false");
  CHECK(refusal(R"({"sample_activation_threshold": -0.5})") ==
        "config key \"sample_activation_threshold\": got -0.5, allowed is a number from 0 to 1000000");
  CHECK(refusal(R"({"saetap": {"phases": ["test"]}})") ==
        "config key \"saetap.phases[0]\": got \"test\", allowed is \"train\" or \"eval\"");
  CHECK(refusal(R"({"saetap": {"phases": []}})") ==
        "config key \"saetap.phases\": got a list, allowed is a list of \"train\", \"eval\" or both");
  CHECK(refusal(R"({"saetap": {"rank_features_by": "size"}})") ==
        "config key \"saetap.rank_features_by\": got \"size\", allowed is one of \"max_activation\", \"mean\", "
        "\"density\", "
        "\"count\"");
  CHECK(refusal(R"({"saetap": {"sample_window_steps": "growing"}})") ==
        "config key \"saetap.sample_window_steps\": got \"growing\", allowed is \"auto\" or a whole number from 0 to "
        "1000000000000");
  CHECK(refusal(R"({"saetap": {"tokens": {"ignore_token_ids": [1, -2]}}})") ==
        "config key \"saetap.tokens.ignore_token_ids[1]\": got -2, allowed is a whole number from 0 to 2147483647");
  CHECK(refusal(R"({"saetap": 3})") == "config key \"saetap\": got 3, allowed is an object");
  CHECK(refusal(R"({"saetap": {"output_dir": ""}})") ==
        "config key \"saetap.output_dir\": got \"\", allowed is a text that is not empty");
  CHECK(refusal(R"({"saetap": {"collapse_near_duplicates": true, "max_samples_per_sequence": 3}})") ==
        "config keys \"saetap.collapse_near_duplicates\" and \"saetap.max_samples_per_sequence\": one of them at a "
        "time; what is kept under both could not be exact");
  CHECK(refusal("[1]") == "config: got a list, allowed is an object");
}

TEST_CASE("no text crashes the parser") {
  CHECK(refusal("") == "config: not valid JSON at line 1, column 1");
  CHECK(refusal("{\"a\": 1,\n  \"b\": }") == "config: not valid JSON at line 2, column 8");
  CHECK(refusal("{\"saetap\": {\"output_dir\": \"\xFF\xFE\"}}").starts_with("config: not valid JSON at line 1"));
  CHECK(refusal("{\"saetap\": {\"a\\nb\": 1}}").starts_with("config key \"saetap.a\\nb\": unknown"));
  CHECK(refusal(std::string(1'000'000, '[')) == "config: nested more than 64 levels deep");
  CHECK(refusal("{\"lr\": 1e999}") == "config: a number is too large");
  CHECK(refusal("{\"sample_activation_threshold\": NaN}").starts_with("config: not valid JSON"));
  CHECK(refusal(R"({"max_samples_per_feature": 123456789012345678901234567890})").ends_with("from 1 to 1000000"));
  CHECK(refusal(R"({"max_samples_per_feature": {"a": [[[]]]}})").find("got an object") != std::string::npos);
  const std::string text = R"({"saetap": {"tokens": {"ignore_token_ids": [1, 2.0]}, "phases": ["train"]}})";
  for (std::size_t length = 0; length < text.size(); ++length) CHECK(refusal(text.substr(0, length)) != "accepted");
}

TEST_CASE("a misspelt key of a trainer's own config is a warning, a foreign one nothing") {
  const Config config = parse_config(R"({"max_sample_per_feature": 5, "sample_rate": 2, "seed": 1})");
  REQUIRE(config.warnings.size() == 1);
  CHECK(config.warnings[0] ==
        "config key \"max_sample_per_feature\": ignored; did you mean \"max_samples_per_feature\"?");
  CHECK(config.max_samples_per_feature == 100);
}

TEST_CASE("a config file that is wrong or missing is named") {
  const saetap::testing::TemporaryFolder folder;
  const std::string path = folder.file("tap.json");
  CHECK_THROWS_WITH_AS((void)load_config(path), (path + ": cannot be read (No such file or directory)").c_str(),
                       ConfigError);
  std::ofstream(path).flush();
  CHECK_THROWS_WITH_AS((void)load_config(path), (path + ": config: not valid JSON at line 1, column 1").c_str(),
                       ConfigError);
  std::ofstream(path) << R"({"saetap": 3})";
  CHECK_THROWS_WITH_AS((void)load_config(path), (path + ": config key \"saetap\": got 3, allowed is an object").c_str(),
                       ConfigError);
  CHECK_THROWS_AS((void)load_config(folder.path()), ConfigError);
  const std::string yaml = folder.file("tap.yaml");
  std::ofstream(yaml) << "saetap:\n  save_activation_samples: true\n";
  CHECK_THROWS_WITH_AS(
      (void)load_config(yaml),
      (yaml + ": config: not valid JSON at line 1, column 1; configs are JSON, YAML is not read").c_str(), ConfigError);
}

TEST_CASE("edit distance of known pairs") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("saturday", "sunday") == 3);
  CHECK(edit_distance("flaw", "lawn") == 2);
}

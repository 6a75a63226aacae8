// The config keys that say what is hooked, and what an activation is.
#include <doctest/doctest.h>

#include <string>

#include "plugin/config.h"

using namespace saetap;

namespace {

std::string refusal(const std::string& own_keys) {
  try {
    (void)parse_config("{\"saetap\": {" + own_keys + "}}");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("hooks names sites by module, method and value; what is left out is any") {
  CHECK(parse_config("{}").hooks.empty());
  const auto config = parse_config(R"({"saetap": {"hooks": [
    {"module": "TopKSAE", "method": "encode", "value": "decoder.weight"},
    {"value": "W_dec#2"},
    {"module": "MLP", "value": "none"}]}})");
  REQUIRE(config.hooks.size() == 3);
  CHECK(config.hooks[0].module == "TopKSAE");
  CHECK(config.hooks[0].method == "encode");
  CHECK(config.hooks[0].value == "decoder.weight");
  CHECK(config.hooks[1].module.empty());
  CHECK(config.hooks[1].method.empty());
  CHECK(config.hooks[1].value == "W_dec#2");
  CHECK(config.hooks[2].module == "MLP");
  CHECK(config.hooks[2].value == kHookNothing);
  CHECK(parse_config(R"({"saetap": {"hooks": []}})").hooks.empty());
}

TEST_CASE("activation_scale is what enters the decoder, unless it is asked for in units of the output") {
  CHECK(parse_config("{}").activation_scale == ActivationScale::decoder_input);
  const auto scale = [](const std::string& name) {
    return parse_config("{\"saetap\": {\"activation_scale\": \"" + name + "\"}}").activation_scale;
  };
  CHECK(scale("decoder_input") == ActivationScale::decoder_input);
  CHECK(scale("decoder_norm") == ActivationScale::decoder_norm);
}

TEST_CASE("wrong hooks and scales are refused in one exact line") {
  CHECK(refusal(R"("hooks": {"value": "W_dec"})") ==
        "config key \"saetap.hooks\": got an object, allowed is a list of objects");
  CHECK(refusal(R"("hooks": ["W_dec"])") == "config key \"saetap.hooks[0]\": got \"W_dec\", allowed is an object");
  CHECK(refusal(R"("hooks": [{"value": "W_dec"}, {"module": "SAE"}])") ==
        "config key \"saetap.hooks[1]\": got an object, allowed is an object with a \"value\", the site that `saetap "
        "inspect` names, or \"none\"");
  CHECK(refusal(R"("hooks": [{"value": ""}])") ==
        "config key \"saetap.hooks[0].value\": got \"\", allowed is a text that is not empty");
  CHECK(refusal(R"("hooks": [{"value": 3}])") ==
        "config key \"saetap.hooks[0].value\": got 3, allowed is a text that is not empty");
  CHECK(refusal(R"("hooks": [{"modul": "SAE", "value": "W_dec"}])") ==
        "config key \"saetap.hooks[0].modul\": got \"SAE\", allowed is one of the keys \"module\", \"method\", "
        "\"value\"");
  CHECK(refusal(R"("hook": [])") == "config key \"saetap.hook\": unknown; nearest known key is \"hooks\"");
  CHECK(refusal(R"("activation_scale": "norm")") ==
        "config key \"saetap.activation_scale\": got \"norm\", allowed is one of \"decoder_input\", \"decoder_norm\"");
  CHECK(refusal(R"("activation_scale": 2)") ==
        "config key \"saetap.activation_scale\": got 2, allowed is one of \"decoder_input\", \"decoder_norm\"");
}

TEST_CASE("both keys live in \"saetap\" alone: at the top level they are a trainer's own") {
  const auto config = parse_config(R"({"hooks": "mine", "activation_scale": 7})");
  CHECK(config.hooks.empty());
  CHECK(config.activation_scale == ActivationScale::decoder_input);
  CHECK(config.warnings.empty());
}

TEST_CASE("a rule is written as it is read") {
  const HookRule rule{"A \"quoted\" SAE", "forward", "decoder.weight#2"};
  const auto config = parse_config("{\"saetap\": {" + hook_rule_json(rule) + "}}");
  REQUIRE(config.hooks.size() == 1);
  CHECK(config.hooks[0].module == rule.module);
  CHECK(config.hooks[0].method == rule.method);
  CHECK(config.hooks[0].value == rule.value);
  CHECK(hook_rule_json({"SAE", "forward", "W_dec"}) ==
        R"("hooks": [{"module":"SAE","method":"forward","value":"W_dec"}])");
}

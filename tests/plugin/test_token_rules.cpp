// Which tokens do not count and where documents end: from the config, the tokenizer, or neither.
#include <doctest/doctest.h>

#include <algorithm>

#include "plugin/log.h"
#include "plugin/session/token_rules.h"
#include "tests/captured_errors.h"
#include "tests/core/tokenizer_file.h"

using namespace saetap;

namespace {

constexpr const char* kBert = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nwalk\n";
constexpr const char* kRanks = "SGk= 0\n5pY= 1\n";  // a .tiktoken file: no special tokens in it

TokenRules rules_of(const Config& config, const Tokenizer* tokenizer) {
  set_log_level(LogLevel::error);
  return trace_options(config, tokenizer).rules;
}

}  // namespace

TEST_CASE("the tokenizer's special tokens do not count, and its boundaries end documents") {
  const auto bert = TokenizerFile(kBert, "vocab.txt").load();
  const auto rules = rules_of(Config(), bert.get());
  CHECK(rules.ignored_ids == Ids{0, 1, 2, 3, 4});
  CHECK(rules.boundary_ids == Ids{0, 2, 3});
}

TEST_CASE("what the config names goes before the tokenizer") {
  const auto bert = TokenizerFile(kBert, "vocab.txt").load();
  Config config;
  config.tokens.ignore_token_ids = Ids{5};
  CHECK(rules_of(config, bert.get()).ignored_ids == Ids{5});
  CHECK(rules_of(config, bert.get()).boundary_ids == Ids{0, 2, 3});
  config.tokens.document_boundary_ids = Ids{4};
  CHECK(rules_of(config, bert.get()).boundary_ids == Ids{4});
}

TEST_CASE("documents end at every ignored token where nothing says which of them end one") {
  const auto ranks = TokenizerFile(kRanks, "a.tiktoken").load();
  Config config;
  config.tokens.ignore_token_ids = Ids{100257, 100258};
  CHECK(rules_of(config, ranks.get()).boundary_ids == Ids{100257, 100258});
  CHECK(rules_of(config, nullptr).boundary_ids == Ids{100257, 100258});
  CHECK(rules_of(Config(), ranks.get()).ignored_ids.empty());
  // Special tokens without a well-known name among them.
  const auto named = TokenizerFile(R"({"added_tokens": [{"id": 0, "content": "<x>", "special": true}], "decoder": null,
    "model": {"vocab": {"<x>": 0, "a": 1}}})")
                         .load();
  CHECK(rules_of(Config(), named.get()).boundary_ids == Ids{0});
}

TEST_CASE("a tokenizer's file that knows of no special token is said to, with the key that names them") {
  const auto ranks = TokenizerFile(kRanks, "a.tiktoken").load();
  set_log_level(LogLevel::warning);
  const testing::CapturedErrors errors;
  (void)trace_options(Config(), ranks.get());
  CHECK(mentions(errors.text(), "does not say which tokens are special"));
  CHECK(mentions(errors.text(), "tokens.ignore_token_ids"));
  CHECK(std::ranges::count(errors.text(), '\n') == 1);
  Config config;
  config.tokens.ignore_token_ids.emplace();
  (void)trace_options(config, ranks.get());
  CHECK(std::ranges::count(errors.text(), '\n') == 1);
}

// tokenizer.json -> text. That the texts are those of the reference is the part of tests/tokenizers.
#include <doctest/doctest.h>

#include <string>

#include "integrations/tokenizers/tokenizer.h"
#include "tests/core/tokenizer_file.h"

using saetap::mentions;
using saetap::TokenizerFile;

namespace {

std::string tokenizer_json(const std::string& vocab, const std::string& added = "[]",
                           const std::string& decoder = R"({"type": "WordPiece", "prefix": "##", "cleanup": true})") {
  return R"({"version": "1.0", "added_tokens": )" + added + R"(, "decoder": )" + decoder +
         R"(, "model": {"type": "WordPiece", "vocab": )" + vocab + "}}";
}

const std::string kVocab = R"({"[PAD]": 0, "don": 1, "'": 2, "t": 3, "walk": 4, "##ing": 5, ".": 6, "##'": 7, "n't": 8,
                              "'s": 9, "do not": 10, "müde": 12})";
const std::string kAdded = R"([{"id": 0, "content": "[PAD]", "special": true}, {"id": 20, "content": "<b>"},
                              {"id": 13, "content": "[SEP]", "special": true}])";

std::string decoded(const saetap::Tokenizer& tokenizer, const std::vector<std::int32_t>& ids) {
  return tokenizer.decode(ids);
}

std::string error_of(const std::string& json) {
  return TokenizerFile(json).error();
}

}  // namespace

TEST_CASE("WordPiece joins continued words and cleans up punctuation token by token") {
  const auto tokenizer = TokenizerFile(tokenizer_json(kVocab, kAdded)).load();
  CHECK(decoded(*tokenizer, {4, 5, 6}) == "walking.");
  CHECK(decoded(*tokenizer, {1, 2, 3}) == "don ' t");  // " ' " never lies inside one token
  CHECK(decoded(*tokenizer, {1, 8, 9}) == "donn't's");
  CHECK(decoded(*tokenizer, {4, 10}) == "walk don't");
  CHECK(decoded(*tokenizer, {5, 5}) == "##inging");  // the first token keeps its prefix, as in the reference
  CHECK(decoded(*tokenizer, {1, 12}) == "don müde");
  CHECK(decoded(*tokenizer, {}).empty());
}

TEST_CASE("without cleanup the spaces stay") {
  const auto decoder = R"({"type": "WordPiece", "prefix": "##", "cleanup": false})";
  const auto tokenizer = TokenizerFile(tokenizer_json(kVocab, "[]", decoder)).load();
  CHECK(decoded(*tokenizer, {4, 5, 6}) == "walking .");
}

TEST_CASE("pieces stand in their token's place and joined are the decoded text") {
  const auto tokenizer = TokenizerFile(tokenizer_json(kVocab, kAdded)).load();
  const std::vector<std::int32_t> ids{13, 4, 5, 31999, -7, 20};
  CHECK(tokenizer->pieces(ids) == std::vector<std::string>{"[SEP]", " walk", "ing", " [id 31999]", " [id -7]", " <b>"});
  CHECK(tokenizer->decode(ids) == "[SEP] walking [id 31999] [id -7] <b>");
}

TEST_CASE("special ids are those the tokenizer marks, ascending and once") {
  const auto tokenizer = TokenizerFile(tokenizer_json(kVocab, kAdded)).load();
  CHECK(tokenizer->special_ids() == std::vector<std::int32_t>{0, 13});
}

TEST_CASE("a decoder that is not supported is named") {
  const std::string json = tokenizer_json(kVocab, "[]", R"({"type": "Phonetic"})");
  CHECK_THROWS_AS((void)TokenizerFile(json).load(), saetap::UnsupportedTokenizer);
  CHECK(mentions(error_of(json), "\"Phonetic\" is not supported; token ids are shown instead"));
  const std::string old = tokenizer_json(kVocab, "[]", R"({"prefix": "##", "cleanup": true})");
  CHECK_THROWS_AS((void)TokenizerFile(old).load(), saetap::UnsupportedTokenizer);
  CHECK(mentions(error_of(old), "old form without a \"type\" (cleanup, prefix), which is not supported; token ids"));
  const std::string regex = tokenizer_json(
      kVocab, "[]",
      R"({"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"Regex": "a+"}, "content": "b"}]})");
  CHECK_THROWS_AS((void)TokenizerFile(regex).load(), saetap::UnsupportedTokenizer);
  CHECK(mentions(error_of(regex), "\"Replace\" has a regular expression"));
}

TEST_CASE("boundaries are what the tokenizer puts around a text and what is called so") {
  const std::string named =
      R"([{"id": 0, "content": "[PAD]", "special": true}, {"id": 20, "content": "[MASK]", "special": true},
    {"id": 21, "content": "<|im_end|>", "special": true}, {"id": 22, "content": "<|endoftext|>", "special": true}])";
  const auto with = [&](const std::string& post_processor) {
    std::string json = tokenizer_json(kVocab, named);
    json.insert(1, R"("post_processor": )" + post_processor + ", ");
    return TokenizerFile(json).load()->boundary_ids();
  };
  using Ids = std::vector<std::int32_t>;
  CHECK(with("null") == Ids{0, 22});
  CHECK(with(R"({"type": "BertProcessing", "sep": ["x", 6], "cls": ["y", 4]})") == Ids{0, 4, 6, 22});
  CHECK(with(R"({"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing",
    "special_tokens": {"<x>": {"id": "<x>", "ids": [9, 8], "tokens": ["a", "b"]}}}]})") == Ids{0, 8, 9, 22});
  CHECK_THROWS_AS(with(R"({"type": "RobertaProcessing", "sep": ["x", -6]})"), saetap::TokenizerError);
  std::string deep = "{}";
  for (int i = 0; i < 10'000; ++i) deep = R"({"type": "Sequence", "processors": [)" + deep + "]}";
  CHECK_THROWS_AS(with(deep), saetap::TokenizerError);
}

TEST_CASE("what is no tokenizer is refused with a reason") {
  CHECK(mentions(error_of("not json"), "not JSON"));
  CHECK(mentions(error_of(""), "not JSON"));
  CHECK(mentions(error_of("\xff\xfe\x00"), "not JSON"));
  CHECK(mentions(error_of("[1, 2]"), "not a tokenizer.json"));
  CHECK(mentions(error_of("{}"), "no \"model\""));
  CHECK(mentions(error_of(tokenizer_json("[1]")), "\"vocab\""));
  CHECK(mentions(error_of(R"({"decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true}, "model": 3})"),
                 "vocab"));
  CHECK(mentions(error_of(tokenizer_json(kVocab, "3")), "added_tokens"));
  CHECK(mentions(error_of(tokenizer_json(kVocab, R"([{"content": "x"}])")), "added_tokens"));
  CHECK(mentions(error_of(tokenizer_json(kVocab, R"([{"id": 1, "content": 4}])")), "added_tokens"));
  CHECK(mentions(error_of(tokenizer_json(kVocab, "[]", R"({"type": 5})")), "no type"));
  CHECK(mentions(error_of(tokenizer_json(kVocab, "[]", R"({"type": "WordPiece", "prefix": 1, "cleanup": true})")),
                 "prefix"));
  CHECK(mentions(error_of(tokenizer_json(kVocab, "[]", R"({"type": "WordPiece", "prefix": "##"})")), "cleanup"));
}

TEST_CASE("ids that are no ids are refused") {
  for (const char* id : {"-1", "1.5", "\"7\"", "null", "2147483648", "99999999999999999999", "[0]"}) {
    CAPTURE(id);
    CHECK(mentions(error_of(tokenizer_json("{\"a\": " + std::string(id) + "}")), "0 to 2147483647"));
    CHECK(mentions(error_of(tokenizer_json("{}", "[{\"content\": \"a\", \"id\": " + std::string(id) + "}]")),
                   "0 to 2147483647"));
  }
  CHECK(mentions(error_of(tokenizer_json(R"({"a": 4, "b": 4})")), "two of its tokens have the id 4"));
  CHECK(mentions(error_of(tokenizer_json("{}", R"([{"id": 4, "content": "a"}, {"id": 4, "content": "b"}])")),
                 "two of its tokens have the id 4"));
}

TEST_CASE("an id that the model's vocabulary has is what it says, whatever an added token says") {
  const std::string added = R"([{"id": 4, "content": "<s>", "special": true}, {"id": 5, "content": "<s>"},
    {"id": 1, "content": "[SEP]", "special": true}])";
  const auto tokenizer = TokenizerFile(tokenizer_json(R"({"a": 4, "[SEP]": 1})", added)).load();
  CHECK(decoded(*tokenizer, {4, 5, 1}) == "a <s> [SEP]");
  CHECK(tokenizer->special_ids() == std::vector<std::int32_t>{1});
  CHECK(tokenizer->boundary_ids() == std::vector<std::int32_t>{1, 5});
}

TEST_CASE("the largest id takes no more memory than the smallest") {
  const auto tokenizer = TokenizerFile(tokenizer_json(R"({"a": 2147483647, "b": 0})")).load();
  CHECK(decoded(*tokenizer, {0, 2147483647}) == "b a");
}

TEST_CASE("endless nesting is refused without exhausting the stack") {
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  CHECK(mentions(error_of(std::string(1'000'000, '[')), "not JSON"));
  CHECK(mentions(error_of(tokenizer_json(kVocab, "[]", deep)), "no type"));
  CHECK(mentions(error_of(tokenizer_json(deep)), "vocab"));
}

TEST_CASE("a path that is no readable file is refused") {
  CHECK_THROWS_AS((void)saetap::load_tokenizer("/no/such/tokenizer.json"), saetap::TokenizerError);
  CHECK_THROWS_AS((void)saetap::load_tokenizer("/"), saetap::TokenizerError);
  CHECK_THROWS_AS((void)saetap::load_tokenizer("/dev/zero"), saetap::TokenizerError);
}

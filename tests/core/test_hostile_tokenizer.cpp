// Tokenizer files as damage and ill will make them: each is loaded, or refused in one line, and none takes the machine.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>
#include <string>

#include "integrations/tokenizers/tokenizer.h"
#include "tests/core/pipeline.h"
#include "tests/core/tokenizer_file.h"
#include "tests/core/tokenizer_samples.h"
#include "tests/reliability/fault_record.h"

using namespace saetap;
using saetap::testing::long_form;
using saetap::testing::record_fault;
using saetap::testing::TemporaryFolder;
using saetap::testing::tokenizer_samples;
using saetap::testing::TokenizerSample;

namespace {

// What is decoded with every tokenizer that loads.
const Ids kIds = [] {
  Ids ids(12);
  std::iota(ids.begin(), ids.end(), 0);
  ids.insert(ids.end(), {-1, 2'147'483'647, -2'147'483'647 - 1, 4, 4, 5, 6});
  return ids;
}();

// "loaded", or the one line that refuses the file.
std::string outcome(const TemporaryFolder& folder, const std::string& name, const std::string& content) {
  const std::string path = folder.file(name);
  std::ofstream(path, std::ios::binary) << content;
  try {
    const auto tokenizer = load_tokenizer(path);
    std::string joined;
    for (const std::string& piece : tokenizer->pieces(kIds)) joined += piece;
    REQUIRE(joined == tokenizer->decode(kIds));
    REQUIRE(tokenizer->excerpt_pieces(kIds).size() == kIds.size());
    return "loaded";
  } catch (const TokenizerError& error) {
    const std::string reason = error.what();
    REQUIRE(reason.starts_with("tokenizer " + path + ": "));
    REQUIRE(reason.find('\n') == std::string::npos);
    REQUIRE(reason.size() < path.size() + 500);
    return reason;
  }
}

}  // namespace

TEST_CASE("the samples of all formats are sound") {
  const TemporaryFolder folder;
  for (const auto& [name, content] : tokenizer_samples()) CHECK(outcome(folder, name, content) == "loaded");
}

TEST_CASE("a tokenizer file cut short anywhere is refused, or a shorter sound one") {
  const TemporaryFolder folder;
  std::size_t tries = 0;
  for (const TokenizerSample& sample : tokenizer_samples()) {
    const std::string& name = sample.name;
    const std::string& content = sample.content;
    const bool lines = !name.ends_with(".json") && !name.ends_with(".model");
    for (std::size_t length = 0; length < content.size(); ++length, ++tries) {
      CAPTURE(name);
      CAPTURE(length);
      const std::string found = outcome(folder, name, content.substr(0, length));
      if (name.ends_with(".json")) CHECK(found != "loaded");
      if (lines && length == 0) CHECK(found != "loaded");
    }
  }
  record_fault("input", "a tokenizer file of each format is cut short", tries, "nothing: ids are shown instead");
}

TEST_CASE("a tokenizer file with any bit flipped is loaded or refused in a line") {
  const TemporaryFolder folder;
  std::size_t tries = 0;
  std::mt19937 random(5);
  for (const TokenizerSample& sample : tokenizer_samples()) {
    const std::string& name = sample.name;
    const std::string& content = sample.content;
    for (std::size_t at = 0; at < content.size(); ++at) {
      const unsigned only = random() % 8;  // by default one bit of each byte
      for (unsigned bit = 0; bit < 8; ++bit) {
        if (!long_form() && bit != only) continue;
        std::string flipped = content;
        flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
        CAPTURE(name);
        CAPTURE(flipped);
        (void)outcome(folder, name, flipped);
        ++tries;
      }
    }
  }
  record_fault("input", "a bit of a tokenizer file of each format is flipped", tries,
               "what the bit said, or nothing: ids are shown instead");
}

TEST_CASE("ids that are negative, huge or none are refused in every format") {
  const TemporaryFolder folder;
  std::size_t tries = 0;
  for (const std::string id : {"-1", "2147483648", "9223372036854775808", "18446744073709551616", "1e3", "1.5", "\"1\"",
                               "null", "[[]]", "{}"}) {
    CAPTURE(id);
    const auto refused = [&](const std::string& name, const std::string& content) {
      ++tries;
      return outcome(folder, name, content) != "loaded";
    };
    CHECK(refused("t.json", R"({"decoder":null,"model":{"vocab":{"a":)" + id + "}}}"));
    CHECK(
        refused("t.json", R"({"decoder":null,"model":{"vocab":{}},"added_tokens":[{"content":"a","id":)" + id + "}]}"));
    CHECK(refused("vocab.json", R"({"a":0,"<s>":)" + id + "}"));
    CHECK(refused("tekken.json",
                  R"({"config":{"default_vocab_size":5,"default_num_special_tokens":)" + id + R"(},"vocab":[]})"));
    CHECK(refused("tekken.json",
                  R"({"config":{"default_vocab_size":5,"default_num_special_tokens":0},"vocab":[{"token_bytes":"YQ==",)"
                  R"("rank":)" +
                      id + "}]}"));
    CHECK(refused("r.tiktoken", "YQ== " + id + "\n"));
  }
  record_fault("input", "a tokenizer's ids are negative, huge or no numbers", tries, "nothing: ids are shown instead");
}

TEST_CASE("lengths in a SentencePiece model that lie are refused") {
  const TemporaryFolder folder;
  const std::string huge(9, '\xFF');
  const std::string lies[]{std::string("\x0A\x7F"),                       // a piece of 127 bytes, none there
                           "\x0A" + huge + "\x01",                        // of 2^64 - 1
                           "\x0A" + huge + "\xFF\xFF\x01",                // a number that never ends
                           std::string("\x0A\x04\x0A\x7F") + "ab",        // longer than what holds it
                           std::string("\x0B"),                           // a group, which no model has
                           std::string("\xF8\xFF\xFF\xFF\x7F\x01"),       // a field of a number that cannot be
                           std::string("\x0A\x02\x18\x09\x0A\x00", 6),    // a piece of an unknown type
                           std::string("\x0A\x05\x0A\x01\xFF\x18\x01")};  // not UTF-8
  for (const std::string& lie : lies) {
    CHECK(outcome(folder, "spiece.model", lie) != "loaded");
    CHECK(outcome(folder, "spiece.model", saetap::testing::proto_piece("a", 1) + lie) != "loaded");
  }
  record_fault("input", "lengths in a SentencePiece model lie", 2 * std::size(lies), "nothing: ids are shown instead");
}

TEST_CASE("base64 rubbish is refused") {
  const TemporaryFolder folder;
  for (const std::string line :
       {"==== 0", "YQ=A 0", "YQ= 0", "Y 0", "Y\xFF== 0", "YQ==", " 0", "YQ== 0 0", "YQ==\t0"}) {
    CAPTURE(line);
    CHECK(outcome(folder, "r.tiktoken", line + "\n") != "loaded");
    CHECK(outcome(folder, "r.tiktoken", "Yg== 7\n" + line + "\n") != "loaded");
  }
  record_fault("input", "base64 of a tokenizer is rubbish", 18, "nothing: ids are shown instead");
}

TEST_CASE("deep nesting anywhere in a tokenizer does not exhaust the stack") {
  const TemporaryFolder folder;
  const std::string lists = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  std::string objects;
  for (int i = 0; i < 200'000; ++i) objects += R"({"type":"Sequence","decoders":[)";
  for (int i = 0; i < 200'000; ++i) objects += "]}";
  std::string processors;
  for (int i = 0; i < 200'000; ++i) processors += R"({"type":"Sequence","processors":[)";
  for (int i = 0; i < 200'000; ++i) processors += "]}";
  const std::string model = R"("model":{"vocab":{"a":1}})";
  CHECK(outcome(folder, "a.json", lists) != "loaded");
  CHECK(outcome(folder, "a.json", R"({"decoder":)" + lists + "," + model + "}") != "loaded");
  CHECK(outcome(folder, "a.json", R"({"decoder":)" + objects + "," + model + "}") != "loaded");
  CHECK(outcome(folder, "a.json", R"({"decoder":null,"post_processor":)" + processors + "," + model + "}") != "loaded");
  CHECK(outcome(folder, "a.json", R"({"decoder":null,"model":{"vocab":{"a":)" + lists + "}}}") != "loaded");
  CHECK(outcome(folder, "vocab.json", R"({"a":)" + lists + "}") != "loaded");
  CHECK(outcome(folder, "a.json", R"({"decoder":null,"normalizer":)" + lists + "," + model + "}") == "loaded");
  record_fault("input", "a tokenizer.json nests up to a million levels deep", 7, "nothing");
}

TEST_CASE("a token of 100 MB, and one decoder upon another, take no more memory than a text may") {
  const TemporaryFolder folder;
  const std::string token(100'000'000, 'a');
  CHECK(outcome(folder, "a.json", R"({"decoder":null,"model":{"vocab":{")" + token + R"(":3}}})") == "loaded");
  const auto long_token = load_tokenizer(folder.file("a.json"));
  CHECK(long_token->pieces(Ids{1, 3}) == Pieces{"[id 1]", "[id 3]"});
  CHECK(outcome(folder, "vocab.txt", "[UNK]\n" + token) == "loaded");
  CHECK(outcome(folder, "r.tiktoken", token + " 3\n") == "loaded");

  const std::string mebibyte(std::size_t{1} << 20, 'b');
  (void)outcome(folder, "a.json",
                R"({"decoder":{"type":"Replace","pattern":{"String":"a"},"content":")" + mebibyte +
                    R"("},"model":{"vocab":{"a":0}}})");
  const Ids many(100'000, 0);
  CHECK(load_tokenizer(folder.file("a.json"))->pieces(many).front() == "[id 0]");
  (void)outcome(folder, "a.json", R"({"decoder":{"type":"Fuse"},"model":{"vocab":{")" + mebibyte + R"(":0}}})");
  CHECK(load_tokenizer(folder.file("a.json"))->pieces(many).front() == "[id 0]");
  record_fault("input", "a token of a tokenizer has 100 MB, or decodes to more than there is memory", 5,
               "its text: ids are shown instead");
}

TEST_CASE("what is no file is refused as a tokenizer at once") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& path) {
    try {
      (void)load_tokenizer(path);
    } catch (const TokenizerError& error) {
      return std::string(error.what());
    }
    return std::string("loaded");
  };
  const std::string pipe = folder.file("tokenizer.json");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(refused(pipe) == "tokenizer " + pipe + ": not a file");
  CHECK(refused(folder.path()) == "tokenizer " + folder.path() + ": not a file");
  CHECK(refused("/dev/zero") == "tokenizer /dev/zero: not a file");
  std::filesystem::create_symlink("loop", folder.file("loop"));
  CHECK(refused(folder.file("loop")).starts_with("tokenizer " + folder.file("loop") + ": "));
  std::ofstream(folder.file("vast.json")).flush();
  std::filesystem::resize_file(folder.file("vast.json"), std::uintmax_t{1} << 40);
  CHECK(refused(folder.file("vast.json")) == "tokenizer " + folder.file("vast.json") + ": larger than 256 MiB");
  record_fault("input", "a tokenizer is a pipe, a folder, a device, a loop of links or a terabyte", 5,
               "nothing: ids are shown instead");
}

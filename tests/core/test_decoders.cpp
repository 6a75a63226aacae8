// Each decoder of a tokenizer.json by hand: which token carries which part of the text. That the whole text is that of
// the reference is the part of tests/tokenizers.
#include <doctest/doctest.h>

#include <string>

#include "tests/core/tokenizer_file.h"

using saetap::mentions;
using saetap::Pieces;
using saetap::TokenizerFile;

namespace {

// The pieces of all the entries, in order.
Pieces decoded(const std::string& decoder, const std::string& entries) {
  const TokenizerFile file(R"({"decoder": )" + decoder + R"(, "model": {"vocab": )" + entries + "}}");
  const auto tokenizer = file.load();
  saetap::Ids ids;
  for (std::int32_t id = 0; mentions(entries, "\", " + std::to_string(id) + "]"); ++id) ids.push_back(id);
  return tokenizer->pieces(ids);
}

std::string error_of(const std::string& decoder) {
  return TokenizerFile(R"({"decoder": )" + decoder + R"(, "model": {"vocab": {"a": 0}}})").error();
}

const std::string kLlama = R"({"type": "Sequence", "decoders": [
  {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
  {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})";

}  // namespace

// The number after each entry is its id, so that a case can be read; the format calls it a score and the place decides.

TEST_CASE("no decoder joins with spaces") {
  CHECK(decoded("null", R"([["a", 0], ["", 1], ["b", 2]])") == Pieces{"a", " ", " b"});
}

TEST_CASE("ByteLevel: bytes become characters, of the token that completes them; other text is text") {
  const std::string byte_level = R"({"type": "ByteLevel"})";
  CHECK(decoded(byte_level, R"([["Hi", 0], ["Ġä", 1], ["¸Ń", 2], ["æĸ", 3], ["ĩ", 4]])") ==
        Pieces{"Hi", " ", "中", "", "文"});
  CHECK(decoded(byte_level, R"([["Ċ", 0], ["<中>", 1], ["a b", 2]])") == Pieces{"\n", "<中>", "a b"});
  // A character that is never completed is shown as such, in the place where it breaks off.
  CHECK(decoded(byte_level, R"([["æĸ", 0], ["a", 1], ["ĩ", 2]])") == Pieces{"\uFFFD", "a", "\uFFFD"});
}

TEST_CASE("Metaspace: the spaces of the first token are those that encoding put there") {
  const std::string entries = R"([["▁▁a▁", 0], ["▁b▁c", 1]])";
  CHECK(decoded(R"({"type": "Metaspace", "replacement": "▁"})", entries) == Pieces{"a", " b c"});
  CHECK(decoded(R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"})", entries) ==
        Pieces{"a", " b c"});
  CHECK(decoded(R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never"})", entries) ==
        Pieces{"  a ", " b c"});
  CHECK(decoded(R"({"type": "Metaspace", "replacement": "▁", "add_prefix_space": false})", entries) ==
        Pieces{"  a ", " b c"});
}

TEST_CASE("ByteFallback: a run of bytes is UTF-8 or all of it is not") {
  const std::string back = R"({"type": "ByteFallback"})";
  CHECK(decoded(back, R"([["<0xE6>", 0], ["<0x96>", 1], ["<0x87>", 2], ["<0x41>", 3]])") == Pieces{"", "", "文", "A"});
  CHECK(decoded(back, R"([["<0x41>", 0], ["<0xE6>", 1], ["b", 2]])") == Pieces{"\uFFFD", "\uFFFD", "b"});
  CHECK(decoded(back, R"([["<0x4>", 0], ["<0xG1>", 1], ["<0x0a>", 2]])") == Pieces{"<0x4>", "<0xG1>", "\n"});
}

TEST_CASE("Llama's sequence strips the text's first space, not the tokens'") {
  CHECK(decoded(
            kLlama,
            R"([["▁▁Hi", 0], ["▁there", 1], ["<0xF0>", 2], ["<0x9F>", 3], ["<0x98>", 4], ["<0x80>", 5], ["▁", 6]])") ==
        Pieces{" Hi", " there", "", "", "", "😀", " "});
  CHECK(decoded(kLlama, R"([["", 0], ["▁", 1], ["▁a", 2]])") == Pieces{"", "", " a"});
}

TEST_CASE("of bytes that a cut went through, only the character at the cut is lost to an excerpt") {
  const TokenizerFile file(R"({"decoder": )" + kLlama + R"(, "model": {"vocab": {"<0xE0>": 0, "<0xB8>": 1, "<0x81>": 2,
    "<0xFF>": 3, "▁a": 4}}})");
  const auto tokenizer = file.load();
  const auto excerpt = [&](const saetap::Ids& ids) { return tokenizer->excerpt_pieces(ids); };
  const std::string broken = "\uFFFD";
  CHECK(excerpt({1, 2, 0, 1, 2, 0}) == Pieces{"", "", "", "", "ก", ""});
  CHECK(tokenizer->pieces(saetap::Ids{1, 2, 0, 1, 2, 0}) == Pieces(6, broken));
  CHECK(excerpt({2, 4, 0, 1}) == Pieces{"", "a", "", ""});
  CHECK(excerpt({4, 1, 4, 0, 4}) == Pieces{"a", broken, " a", broken, " a"});  // no cut: within the excerpt
  CHECK(excerpt({4, 2, 2, 2, 2}) == Pieces{"a", broken, broken, broken, broken});
  CHECK(excerpt({3, 4, 3}) == Pieces{broken, " a", broken});  // begins no character
  CHECK(excerpt({1}) == Pieces{broken});
  CHECK(excerpt({2, 0, 1}) == Pieces(3, broken));  // nothing would be left
  CHECK(excerpt({}).empty());
}

TEST_CASE("Strip cuts at most what there is") {
  const auto strip = [](const std::string& start, const std::string& stop) {
    return R"({"type": "Strip", "content": "a", "start": )" + start + R"(, "stop": )" + stop + "}";
  };
  CHECK(decoded(strip("1", "2"), R"([["aabaaa", 0], ["b", 1], ["a", 2], ["", 3], ["aa", 4]])") ==
        Pieces{"aba", "b", "", "", ""});
  CHECK(decoded(strip("9999999999", "9999999999"), R"([["aabaaa", 0]])") == Pieces{"b"});
}

TEST_CASE("Replace: whoever ends an occurrence carries what stands for it") {
  const std::string across = R"({"type": "Sequence", "decoders": [{"type": "Fuse"},
    {"type": "Replace", "pattern": {"String": "ab"}, "content": "<>"}]})";
  CHECK(decoded(across, R"([["xa", 0], ["b", 1], ["a", 2]])") == Pieces{"x", "<>", "a"});
  CHECK(decoded(R"({"type": "Replace", "pattern": {"String": "."}, "content": ""})", R"([["a.b", 0], [".", 1]])") ==
        Pieces{"ab", ""});
}

TEST_CASE("BPEDecoder: an end of a word is a space, but at the end of the text") {
  CHECK(decoded(R"({"type": "BPEDecoder", "suffix": "</w>"})", R"([["wal", 0], ["k</w>", 1], ["on</w>", 2]])") ==
        Pieces{"wal", "k ", "on"});
}

TEST_CASE("CTC: what is said twice in a row was said once, and pauses are nothing") {
  const std::string spoken = R"([["h", 0], ["h", 1], ["_", 2], ["h", 3], ["|", 4], ["|", 5], [" ?", 6]])";
  CHECK(decoded(R"({"type": "CTC", "pad_token": "_", "word_delimiter_token": "|", "cleanup": true})", spoken) ==
        Pieces{"h", "", "", "h", " ", "", "?"});
  CHECK(decoded(R"({"type": "CTC", "pad_token": "_", "word_delimiter_token": "|", "cleanup": false})", spoken) ==
        Pieces{"h", "", "", "h", "|", "", " ?"});
}

TEST_CASE("ids outside the vocabulary are shown in their place, whatever the decoder") {
  const TokenizerFile file(R"({"decoder": )" + kLlama + R"(, "model": {"vocab": [["▁a", 0], ["<0xE6>", 0]]}})");
  const auto tokenizer = file.load();
  CHECK(tokenizer->pieces(saetap::Ids{0, 99, 1, -1, 0}) == Pieces{"a", "[id 99]", "\uFFFD", "[id -1]", " a"});
  CHECK(tokenizer->pieces({}).empty());
}

TEST_CASE("a decoder that multiplies the text without end leaves the ids") {
  std::string twice = R"({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"})";
  for (int i = 0; i < 39; ++i) twice += R"(, {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"})";
  CHECK(decoded(R"({"type": "Sequence", "decoders": [)" + twice + "]}", R"([["a", 0], ["b", 1]])") ==
        Pieces{"[id 0]", "[id 1]"});
  // What is long by itself is still text: 2^18 letters.
  const std::string half = std::string(1 << 18, 'a');
  CHECK(decoded(R"({"type": "Fuse"})", R"([[")" + half + R"(", 0], ["b", 1]])") == Pieces{half, "b"});
  CHECK(decoded(R"({"type": "Replace", "pattern": {"String": ""}, "content": ")" + half + R"("})",
                R"([["aaaaa", 0]])") == Pieces{"[id 0]"});
}

TEST_CASE("decoders that lack something are refused with a reason") {
  CHECK(mentions(error_of(R"({"type": "Metaspace"})"), "Metaspace decoder lacks a text \"replacement\""));
  CHECK(mentions(error_of(R"({"type": "Metaspace", "replacement": ""})"), "a single character"));
  CHECK(mentions(error_of(R"({"type": "Metaspace", "replacement": "ab"})"), "a single character"));
  CHECK(mentions(error_of(R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "x"})"), "prepend_scheme"));
  CHECK(mentions(error_of(R"({"type": "Strip", "content": " ", "start": -1, "stop": 0})"), "a count \"start\""));
  CHECK(mentions(error_of(R"({"type": "Strip", "content": " ", "start": 1})"), "a count \"stop\""));
  CHECK(mentions(error_of(R"({"type": "Replace", "content": " "})"), "pattern"));
  CHECK(mentions(error_of(R"({"type": "Replace", "pattern": {"String": "a"}})"), "content"));
  CHECK(mentions(error_of(R"({"type": "BPEDecoder"})"), "suffix"));
  CHECK(mentions(error_of(R"({"type": "CTC", "pad_token": "a", "cleanup": true})"), "word_delimiter_token"));
  CHECK(mentions(error_of(R"({"type": "Sequence"})"), "decoders"));
  CHECK(mentions(error_of(R"({"type": "Sequence", "decoders": [null]})"), "null"));
  std::string deep, end;
  for (int i = 0; i < 100'000; ++i) {
    deep += R"({"type": "Sequence", "decoders": [)";
    end += "]}";
  }
  deep += R"({"type": "Fuse"})" + end;
  CHECK(mentions(error_of(deep), "nested too deeply"));
}

// The formats besides tokenizer.json. That the texts are those of the references is the part of tests/tokenizers.
#include <doctest/doctest.h>

#include <string>

#include "integrations/tokenizers/base64.h"
#include "integrations/tokenizers/utf8.h"
#include "tests/core/tokenizer_file.h"

using saetap::Ids;
using saetap::mentions;
using saetap::Pieces;
using saetap::TokenizerFile;

namespace {

// A field of a Protocol Buffers message: a number, or bytes shorter than 128.
std::string field(int number, int value) {
  std::string bytes;
  const int tag = number << 3;
  if (tag > 127) {
    bytes += {static_cast<char>(0x80 | (tag & 0x7F)), static_cast<char>(tag >> 7)};
  } else {
    bytes += static_cast<char>(tag);
  }
  return bytes + static_cast<char>(value);
}

std::string field(int number, const std::string& content) {
  std::string bytes = field(number, static_cast<int>(content.size()));
  bytes[0] = static_cast<char>(bytes[0] | 2);
  return bytes + content;
}

std::string piece(const std::string& text, int type = 1) {
  return field(1, field(1, text) + field(3, type));
}

// <unk> <s> </s> ▁ ▁a b, the three bytes of 文, and the piece of a chat.
const std::string kPieces = piece("<unk>", 2) + piece("<s>", 3) + piece("</s>", 3) + piece("▁") + piece("▁a") +
                            piece("b") + piece("<0xE6>", 6) + piece("<0x96>", 6) + piece("<0x87>", 6) +
                            piece("<turn>", 3);

const std::string kTekken = R"({"config": {"default_vocab_size": 18, "default_num_special_tokens": 14},
  "vocab": [{"rank": 0, "token_bytes": "5pY=", "token_str": null}, {"rank": 1, "token_bytes": "hw=="},
            {"rank": 2, "token_bytes": "SGk="}, {"rank": 4, "token_bytes": "bm90IHVzZWQ="}])";

std::string error_of(const std::string& name, const std::string& content) {
  return TokenizerFile(content, name).error();
}

}  // namespace

TEST_CASE("SentencePiece: bytes are joined, the first space is encoding's, control pieces stay visible") {
  const auto tokenizer = TokenizerFile(kPieces, "tokenizer.model").load();
  CHECK(tokenizer->pieces(Ids{1, 4, 4, 6, 7, 8, 5, 2}) == Pieces{"<s>", "a", " a", "", "", "文", "b", "</s>"});
  CHECK(tokenizer->pieces(Ids{6, 7, 4, 0, 8}) == Pieces{"\uFFFD", "\uFFFD", " a", " ⁇ ", "\uFFFD"});
  CHECK(tokenizer->pieces(Ids{3, 3, 4}) == Pieces{"", "", "a"});  // extra spaces were removed, so all of them are
  CHECK(tokenizer->pieces(Ids{10, -1, 4}) == Pieces{"[id 10]", "[id -1]", " a"});
  CHECK(tokenizer->special_ids() == Ids{0, 1, 2, 9});
  CHECK(tokenizer->boundary_ids() == Ids{1, 2});
}

TEST_CASE("SentencePiece: the settings of the model count") {
  const std::string no_prefix = field(3, field(3, 0) + field(4, 0));
  CHECK(TokenizerFile(kPieces + no_prefix, "a.model").load()->pieces(Ids{3, 4}) == Pieces{" ", " a"});
  const std::string spaces_kept = field(3, field(3, 1) + field(4, 0));
  CHECK(TokenizerFile(kPieces + spaces_kept, "a.model.v3").load()->pieces(Ids{3, 4}) == Pieces{"", " a"});
  const std::string trainer = field(2, field(43, 9) + field(44, std::string("?")));
  const auto trained = TokenizerFile(kPieces + trainer, "spiece.model").load();
  CHECK(trained->pieces(Ids{0}) == Pieces{"?"});
  CHECK(trained->boundary_ids() == Ids{1, 2, 9});
}

TEST_CASE("a SentencePiece model that is cut off anywhere is refused, or ends between two fields") {
  const std::string whole = kPieces + field(2, field(43, 9) + field(44, std::string("?"))) + field(3, field(4, 0));
  int refused = 0;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const std::string error = error_of("a.model", whole.substr(0, length));
    CHECK((error == "no error" || mentions(error, "not a SentencePiece model")));
    refused += error != "no error";
  }
  CHECK(refused > 100);
}

TEST_CASE("SentencePiece models that are wrong are refused with a reason") {
  CHECK(mentions(error_of("a.model", piece("")), "its piece 0 is empty"));
  CHECK(mentions(error_of("a.model", piece("\xE6\x96")), "not UTF-8"));
  CHECK(mentions(error_of("a.model", piece("a", 7)), "unknown type"));
  CHECK(mentions(error_of("a.model", piece("<0x1>", 6)), "not written as one"));
  CHECK(mentions(error_of("a.model", std::string("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 12)),
                 "not a SentencePiece"));
  CHECK(mentions(error_of("a.model", std::string("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11)),
                 "not a SentencePiece"));
  CHECK(mentions(error_of("a.model", "\x0B"), "not a SentencePiece"));
  CHECK(mentions(error_of("a.model", "{}"), "not a SentencePiece"));
  const TokenizerFile denormalized(kPieces + field(5, field(2, std::string("map"))), "a.model");
  CHECK_THROWS_AS((void)denormalized.load(), saetap::UnsupportedTokenizer);
  CHECK(mentions(denormalized.error(), "denormalizer, which is not supported; token ids are shown instead"));
}

TEST_CASE(".tiktoken: characters are joined from bytes, special tokens are not in the file") {
  const std::string ranks = "SGk= 0\n5pY= 1\r\n\nhw== 2";
  for (const char* name : {"qwen.tiktoken", "tokenizer.model", "ranks"}) {
    CAPTURE(name);
    const auto tokenizer = TokenizerFile(ranks, name).load();
    CHECK(tokenizer->pieces(Ids{0, 1, 2, 2, 1, 3}) == Pieces{"Hi", "", "文", "\uFFFD", "\uFFFD", "[id 3]"});
    CHECK(tokenizer->special_ids().empty());
    CHECK(tokenizer->boundary_ids().empty());
  }
}

TEST_CASE("ranks that are wrong are refused with the line") {
  CHECK(mentions(error_of("a.tiktoken", ""), "no tokens"));
  for (const char* line :
       {"SGk=", "SGk= ", " 0", "SGk 0", "S*k= 0", "SGk= -1", "SGk= 0 0", "SGk= 2147483648", "SGk= x", "= 0"}) {
    CAPTURE(line);
    CHECK(mentions(error_of("a.tiktoken", "QQ== 7\n" + std::string(line)), "line 2 is not a token"));
  }
  CHECK(mentions(error_of("a.tiktoken", "QQ== 7\nQg== 7\n"), "two of its tokens have the id 7"));
}

TEST_CASE("tekken.json: ranks come after the special tokens, and not all of them are used") {
  const auto tokenizer = TokenizerFile(kTekken + "}", "tekken.json").load();
  CHECK(tokenizer->pieces(Ids{1, 14, 15, 16, 17, 18, 12, 13, 2}) ==
        Pieces{"<s>", "", "文", "Hi", "[id 17]", "[id 18]", "[IMG_BREAK]", "[IMG_END]", "</s>"});
  CHECK(tokenizer->special_ids().size() == 14);
  CHECK(tokenizer->boundary_ids() == Ids{1, 2, 11});
  const auto named = TokenizerFile(kTekken + R"(, "special_tokens": [{"rank": 3, "token_str": "</s>"}]})").load();
  CHECK(named->pieces(Ids{3, 4}) == Pieces{"</s>", "<SPECIAL_4>"});
  CHECK(named->boundary_ids() == Ids{3});
}

TEST_CASE("a tekken.json that is wrong is refused with a reason") {
  const auto error = [](const std::string& config, const std::string& vocab, const std::string& special = "null") {
    return error_of("tekken.json",
                    R"({"config": )" + config + R"(, "vocab": )" + vocab + R"(, "special_tokens": )" + special + "}");
  };
  const std::string config = R"({"default_vocab_size": 5, "default_num_special_tokens": 3})";
  CHECK(mentions(error("3", "[]"), "default_vocab_size"));
  CHECK(mentions(error(R"({"default_vocab_size": 5})", "[]"), "default_num_special_tokens"));
  CHECK(mentions(error(R"({"default_vocab_size": 2147483647, "default_num_special_tokens": 2147483647})", "[]"),
                 "more tokens are special"));
  CHECK(mentions(error(config, "[3]"), "an entry of its \"vocab\""));
  CHECK(mentions(error(config, R"([{"rank": -1, "token_bytes": "QQ=="}])"), "0 to 2147483647"));
  CHECK(mentions(error(config, R"([{"rank": 0, "token_bytes": "Q"}])"), "not base64"));
  CHECK(mentions(error(config, R"([{"rank": 0, "token_bytes": "QQ=="}, {"rank": 0, "token_bytes": "Qg=="}])"),
                 "have the id 3"));
  CHECK(mentions(error(config, "[]", "7"), "not a list"));
  CHECK(mentions(error(config, "[]", R"([{"rank": 3, "token_str": "a"}])"), "\"rank\" below 3"));
}

TEST_CASE("vocab.txt: a token a line, in BERT's manner") {
  const auto tokenizer = TokenizerFile("[PAD]\n[UNK]\r\n[CLS]\n[SEP]\n[MASK]\nwalk\n##ing\n.", "vocab.txt").load();
  CHECK(tokenizer->pieces(Ids{2, 5, 6, 7, 3, 8}) == Pieces{"[CLS]", " walk", "ing", ".", " [SEP]", " [id 8]"});
  CHECK(tokenizer->special_ids() == Ids{0, 1, 2, 3, 4});
  CHECK(tokenizer->boundary_ids() == Ids{0, 2, 3});
  const auto spaced = TokenizerFile("[UNK] \t\nwalk\u3000\u00A0 \n \u2009home\u200B\r\n\u0085\n", "vocab.txt").load();
  CHECK(spaced->pieces(Ids{0, 1, 2, 3}) == Pieces{"[UNK]", " walk", "  \u2009home\u200B", " "});
  CHECK(spaced->special_ids() == Ids{0});
  CHECK(mentions(error_of("vocab.txt", "some\ntext\n"), "no line [UNK]"));
  CHECK(mentions(error_of("vocab.txt", "[UNK]\n\xFF\n"), "line 2 is not UTF-8"));
}

TEST_CASE("vocab.json: byte-level, and a token may be called as a tokenizer's parts are") {
  const auto tokenizer =
      TokenizerFile(R"({"model": 0, "Ġvocab": 1, "config": 2, "<|endoftext|>": 3})", "vocab.json").load();
  CHECK(tokenizer->pieces(Ids{0, 1, 3, 4}) == Pieces{"model", " vocab", "<|endoftext|>", "[id 4]"});
  CHECK(tokenizer->special_ids() == Ids{3});
  CHECK(tokenizer->boundary_ids() == Ids{3});
  const auto roberta =
      TokenizerFile(R"({"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "a": 4, "<mask>": 9})", "vocab.json").load();
  CHECK(roberta->special_ids() == Ids{0, 1, 2, 3, 9});
  CHECK(roberta->boundary_ids() == Ids{0, 1, 2});
  CHECK(mentions(error_of("vocab.json", R"({"a": -1})"), "0 to 2147483647"));
}

TEST_CASE("what no format is like is refused, with the formats there are") {
  CHECK(mentions(error_of("notes", "some text"),
                 "not a tokenizer.json, tekken.json, vocab.json, vocab.txt, .model or .tiktoken"));
  CHECK(mentions(error_of("notes", ""), "not a tokenizer.json"));
  CHECK(TokenizerFile(R"({"a": 0})", "without_extension").error() == "no error");
}

TEST_CASE("texts that a program gave go before the tokenizer's, token by token") {
  const std::shared_ptr<const saetap::Tokenizer> rest =
      TokenizerFile("[UNK]\nwalk\n##ing\n.\nhome", "vocab.txt").load();
  const auto some = saetap::tokenizer_of_texts({{1, "go"}, {4, " \xE6\x96"}, {9, "\x87"}}, rest);
  CHECK(some->pieces(Ids{1, 2, 3}) == Pieces{"go", "ing", "."});
  CHECK(some->pieces(Ids{4, 9, 8}) == Pieces{" ", "文", " [id 8]"});
  CHECK(some->excerpt_pieces(Ids{1, 2}) == Pieces{"go", "ing"});
  CHECK(some->special_ids() == Ids{0});
  const auto alone = saetap::tokenizer_of_texts({{1, "go"}}, nullptr);
  CHECK(alone->pieces(Ids{1, 2}) == Pieces{"go", "[id 2]"});
  CHECK_THROWS_AS((void)saetap::tokenizer_of_texts({{1, "go"}, {1, "went"}}, rest), saetap::TokenizerError);
}

TEST_CASE("base64 is read strictly") {
  CHECK(saetap::from_base64("") == "");
  CHECK(saetap::from_base64("Zm9vYg==") == "foob");
  CHECK(saetap::from_base64("Zm9vYmE=") == "fooba");
  CHECK(saetap::from_base64("Zm9vYmFy") == "foobar");
  for (const char* wrong : {"Z", "Zm", "Zm9", "Zm9v=", "Zg=a", "====", "Z===", "Zm9-", "Zm 9"}) {
    CAPTURE(wrong);
    CHECK_FALSE(saetap::from_base64(wrong).has_value());
  }
}

TEST_CASE("characters begin and end where Unicode says") {
  const auto start = [](std::string_view text) {
    const saetap::Utf8Start read = saetap::utf8_start(text);
    return read.valid ? static_cast<int>(read.bytes) : -static_cast<int>(read.bytes);
  };
  CHECK(start("a") == 1);
  CHECK(start("é") == 2);
  CHECK(start("文x") == 3);
  CHECK(start("😀") == 4);
  CHECK(start("\xF4\x8F\xBF\xBF") == 4);
  CHECK(start("\xF4\x90\x80\x80") == -1);  // above U+10FFFF
  CHECK(start("\xED\xA0\x80") == -1);      // a surrogate
  CHECK(start("\xC0\x80") == -1);          // in more bytes than it needs
  CHECK(start("\xE0\x9F\x80") == -1);
  CHECK(start("\xF0\x9F\x98") == -3);  // broken off
  CHECK(start("\xF0\x9F"
              "a") == -2);
  CHECK(start("\x80") == -1);
}

// A small sound file of every tokenizer format, for tests that damage them.
#pragma once

#include <string>
#include <vector>

namespace saetap::testing {

struct TokenizerSample {
  std::string name;  // of the file: it tells the format
  std::string content;
};

// A field of a Protocol Buffers message: bytes shorter than 128.
inline std::string proto_bytes(char number, const std::string& content) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(content.size())} + content;
}
inline std::string proto_number(char number, char value) {
  return {static_cast<char>(number << 3), value};
}
inline std::string proto_piece(const std::string& text, char type) {
  return proto_bytes(1, proto_bytes(1, text) + proto_number(3, type));
}

inline std::vector<TokenizerSample> tokenizer_samples() {
  const std::string vocab = R"("vocab":{"<unk>":0,"<s>":1,"a":2,"##b":3,"<0xE6>":4,"<0x96>":5,"<0x87>":6,"\u2581c":7})";
  const auto json = [&](const std::string& decoder) {
    return R"({"added_tokens":[{"id":1,"content":"<s>","special":true}],"post_processor":{"type":"Sequence","processors":[{"type":"BertProcessing","cls":["<s>",1],"sep":["<s>",1]}]},"decoder":)" +
           decoder + R"(,"model":{"type":"BPE",)" + vocab + "}}";
  };
  return {
      {"wordpiece.json", json(R"({"type":"WordPiece","prefix":"##","cleanup":true})")},
      {"bytelevel.json", json(R"({"type":"ByteLevel"})")},
      {"llama.json",
       json(
           R"({"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"\u2581"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]})")},
      {"metaspace.json", json(R"({"type":"Metaspace","replacement":"\u2581","prepend_scheme":"always","split":true})")},
      {"bpe.json", json(R"({"type":"BPEDecoder","suffix":"</w>"})")},
      {"ctc.json", json(R"({"type":"CTC","pad_token":"<s>","word_delimiter_token":"|","cleanup":true})")},
      {"unigram.json", R"({"decoder":null,"model":{"type":"Unigram","vocab":[["<unk>",0.0],["a",-3.5]]}})"},
      {"vocab.json", R"({"a":0,"\u0120b":1,"<|endoftext|>":2})"},
      {"vocab.txt", "[PAD]\n[UNK]\n[CLS]\na\n##b\n"},
      {"spiece.model", proto_piece("<unk>", 2) + proto_piece("<s>", 3) +
                           proto_piece("\xE2\x96\x81"
                                       "a",
                                       1) +
                           proto_piece("<0xE6>", 6) + proto_piece("<0x96>", 6) + proto_bytes(2, proto_number(4, 1)) +
                           proto_bytes(3, proto_number(3, 1))},
      {"ranks.tiktoken", "IQ== 0\nIg== 1\nIw== 2\n5Q== 3\n"},
      {"tekken.json",
       R"({"config":{"default_vocab_size":5,"default_num_special_tokens":2},"special_tokens":[{"rank":0,"token_str":"<unk>"},{"rank":1,"token_str":"<s>"}],"vocab":[{"rank":0,"token_bytes":"YQ=="},{"rank":1,"token_bytes":"5g=="},{"rank":2,"token_bytes":"lg=="}]})"},
  };
}

}  // namespace saetap::testing

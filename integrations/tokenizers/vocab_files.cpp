// The two formats that are a bare vocabulary: each is a tokenizer.json of which the rest is known.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "integrations/tokenizers/boundary_names.h"
#include "integrations/tokenizers/tokenizer_formats.h"
#include "integrations/tokenizers/utf8.h"

namespace saetap {
namespace {

nlohmann::json special_token(std::size_t id, std::string_view content) {
  return {{"id", id}, {"content", content}, {"special", true}};
}

bool is_special_in_bert(std::string_view token) {
  return token == "[PAD]" || token == "[UNK]" || token == "[CLS]" || token == "[SEP]" || token == "[MASK]";
}

// The file does not say it of its tokens: "<|endoftext|>" (GPT-2), "<s>", "<mask>"… (RoBERTa).
bool is_special_name(std::string_view token) {
  return is_boundary_name(token) || token == "<unk>" || token == "<mask>";
}

// Without the white space at its end, as the reference reads a line (Rust's trim_end: Unicode's White_Space).
std::string_view trimmed(std::string_view line) {
  static constexpr std::array<std::string_view, 25> kSpaces{
      "\t",           "\n",           "\v",           "\f",           "\r",           " ",
      "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81", "\xE2\x80\x82",
      "\xE2\x80\x83", "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86", "\xE2\x80\x87", "\xE2\x80\x88",
      "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F",
      "\xE3\x80\x80"};
  for (;;) {
    const auto* space = std::ranges::find_if(kSpaces, [&](auto one) { return line.ends_with(one); });
    if (space == kSpaces.end()) return line;
    line.remove_suffix(space->size());
  }
}

// The lines, without their ends. The last one need not have any.
std::vector<std::string_view> lines_of(std::string_view bytes) {
  std::vector<std::string_view> lines;
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    lines.push_back(trimmed(bytes.substr(0, end)));
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
  }
  return lines;
}

}  // namespace

std::unique_ptr<Tokenizer> tokenizer_from_vocab_json(nlohmann::json vocab) {
  nlohmann::json added = nlohmann::json::array();
  for (const auto& [text, id] : vocab.items()) {
    if (is_special_name(text) && id.is_number_unsigned()) added.push_back(special_token(id.get<std::size_t>(), text));
  }
  nlohmann::json tokenizer;
  tokenizer["model"]["vocab"] = std::move(vocab);
  tokenizer["added_tokens"] = std::move(added);
  tokenizer["decoder"]["type"] = "ByteLevel";
  return tokenizer_from_json(tokenizer);
}

std::unique_ptr<Tokenizer> tokenizer_from_vocab_txt(std::string_view bytes) {
  nlohmann::json vocab = nlohmann::json::array();
  nlohmann::json added = nlohmann::json::array();
  bool has_unknown = false;
  for (const std::string_view line : lines_of(bytes)) {
    if (!is_utf8(line)) throw TokenizerError("line " + std::to_string(vocab.size() + 1) + " is not UTF-8");
    if (is_special_in_bert(line)) added.push_back(special_token(vocab.size(), line));
    has_unknown = has_unknown || line == "[UNK]";
    vocab.push_back({line, 0});
  }
  // Any text has lines; BERT's vocabularies all have this one.
  if (!has_unknown) throw TokenizerError("not a vocab.txt: it has no line [UNK]");
  nlohmann::json tokenizer;
  tokenizer["model"]["vocab"] = std::move(vocab);
  tokenizer["added_tokens"] = std::move(added);
  tokenizer["decoder"] = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  return tokenizer_from_json(tokenizer);
}

}  // namespace saetap

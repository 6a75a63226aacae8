#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "integrations/tokenizers/parsed_tokenizer.h"
#include "integrations/tokenizers/tokenizer.h"
#include "integrations/tokenizers/tokenizer_formats.h"
#include "plugin/file_content.h"

namespace saetap {
namespace {

constexpr std::size_t kLargestFile = std::size_t{256} << 20;  // the largest in public use are below 40 MB

// vocab.json may hold any word as a key, "model" and "vocab" too: what tells it is that there are only numbers.
bool is_vocab_json(const nlohmann::json& parsed) {
  return !parsed.empty() &&
         std::all_of(parsed.begin(), parsed.end(), [](const nlohmann::json& id) { return id.is_number_integer(); });
}

bool is_tekken(const nlohmann::json& parsed) {
  return parsed.contains("config") && parsed.contains("vocab") && parsed["vocab"].is_array();
}

std::unique_ptr<Tokenizer> from_any_json(std::string_view bytes) {
  ParsedTokenizer parsed = parse_tokenizer(bytes);
  if (!parsed.json.is_object()) throw TokenizerError("not a tokenizer.json");
  if (is_vocab_json(parsed.json)) return tokenizer_from_vocab_json(std::move(parsed.json));
  if (is_tekken(parsed.json)) return tokenizer_from_tekken(parsed.json);
  return tokenizer_from_json(parsed.json, std::move(parsed.vocab));
}

bool begins_like_json(std::string_view bytes) {
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && bytes[first] == '{';
}

// The name decides where it is plain; but Llama 3's tokenizer.model is a .tiktoken file.
std::unique_ptr<Tokenizer> from_any(const std::string& path, std::string_view bytes) {
  const std::filesystem::path file(path);
  const std::string extension = file.extension().string();
  if (extension == ".json") return from_any_json(bytes);
  if (extension == ".tiktoken" || looks_like_tiktoken(bytes)) return tokenizer_from_tiktoken(bytes);
  if (extension == ".txt") return tokenizer_from_vocab_txt(bytes);
  if (file.filename().string().find(".model") != std::string::npos) return tokenizer_from_sentencepiece(bytes);
  if (begins_like_json(bytes)) return from_any_json(bytes);
  constexpr char kFirstPiece = 0x0A;  // the tag of ModelProto.pieces
  if (!bytes.empty() && bytes[0] == kFirstPiece) return tokenizer_from_sentencepiece(bytes);
  throw TokenizerError("not a tokenizer.json, tekken.json, vocab.json, vocab.txt, .model or .tiktoken file");
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& path) {
  try {
    return from_any(path, file_content(path, kLargestFile));
  } catch (const UnsupportedTokenizer& error) {
    throw UnsupportedTokenizer("tokenizer " + path + ": " + error.what());
  } catch (const TokenizerError& error) {
    throw TokenizerError("tokenizer " + path + ": " + error.what());
  } catch (const FileError& error) {
    throw TokenizerError("tokenizer " + path + ": " + error.what());
  } catch (const std::exception& error) {
    throw TokenizerError("tokenizer " + path + ": cannot be read (" + error.what() + ")");
  }
}

}  // namespace saetap

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "integrations/tokenizers/decoder.h"
#include "integrations/tokenizers/tokenizer.h"
#include "integrations/tokenizers/vocabulary.h"

namespace saetap {
namespace {

constexpr std::uintmax_t kLargestFile = std::uintmax_t{256} << 20;  // the largest in public use are below 40 MB

// By reference: copying a hostile, deeply nested value would exhaust the stack.
const nlohmann::json& part(const nlohmann::json& object, const char* key) {
  static const nlohmann::json kAbsent;
  const auto found = object.find(key);
  return found == object.end() ? kAbsent : *found;
}

class JsonTokenizer : public Tokenizer {
 public:
  explicit JsonTokenizer(const nlohmann::json& tokenizer)
      : decoder_(make_decoder(part(tokenizer, "decoder"))), vocabulary_(tokenizer) {}

  [[nodiscard]] std::string decode(std::span<const std::int32_t> tokens) const override {
    std::string text;
    for (const std::string& piece : pieces(tokens)) text += piece;
    return text;
  }

  [[nodiscard]] std::vector<std::string> pieces(std::span<const std::int32_t> tokens) const override {
    std::vector<std::string> texts;
    texts.reserve(tokens.size());
    for (const std::int32_t id : tokens) {
      const std::string* entry = vocabulary_.entry(id);
      texts.push_back(entry ? *entry : "[id " + std::to_string(id) + "]");
    }
    decoder_->decode(texts);
    return texts;
  }

  [[nodiscard]] const std::vector<std::int32_t>& special_ids() const override { return vocabulary_.special_ids(); }

 private:
  std::unique_ptr<Decoder> decoder_;
  Vocabulary vocabulary_;
};

// A folder or a device would read as an empty or an endless file, so only regular files are opened.
nlohmann::json read_json(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (error) throw TokenizerError(error.message());
  if (!std::filesystem::is_regular_file(status)) throw TokenizerError("not a file");
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (!error && size > kLargestFile) throw TokenizerError("too large for a tokenizer.json");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw TokenizerError(std::strerror(errno));
  nlohmann::json parsed = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (file.bad()) throw TokenizerError("cannot be read");
  if (parsed.is_discarded()) throw TokenizerError("not JSON");
  if (!parsed.is_object()) throw TokenizerError("not a tokenizer.json");
  return parsed;
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& path) {
  try {
    return std::make_unique<JsonTokenizer>(read_json(path));
  } catch (const UnsupportedTokenizer& error) {
    throw UnsupportedTokenizer("tokenizer " + path + ": " + error.what());
  } catch (const TokenizerError& error) {
    throw TokenizerError("tokenizer " + path + ": " + error.what());
  } catch (const std::exception& error) {
    throw TokenizerError("tokenizer " + path + ": cannot be read (" + error.what() + ")");
  }
}

}  // namespace saetap

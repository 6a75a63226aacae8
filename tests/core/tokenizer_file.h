// A tokenizer written to a file of its own, gone afterwards.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "integrations/tokenizers/tokenizer.h"

namespace saetap {

class TokenizerFile {
 public:
  explicit TokenizerFile(const std::string& content, const std::string& name = "tokenizer.json")
      : folder_(std::filesystem::temp_directory_path() / ("saetap_tokenizer_" + std::to_string(counter_++))),
        path_(folder_ / name) {
    std::filesystem::create_directories(folder_);
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TokenizerFile() { std::filesystem::remove_all(folder_); }
  TokenizerFile(const TokenizerFile&) = delete;
  TokenizerFile& operator=(const TokenizerFile&) = delete;

  [[nodiscard]] std::unique_ptr<Tokenizer> load() const { return load_tokenizer(path_); }

  // Why it cannot be loaded.
  [[nodiscard]] std::string error() const {
    try {
      (void)load();
    } catch (const TokenizerError& error) {
      return error.what();
    }
    return "no error";
  }

 private:
  static inline int counter_ = 0;
  std::filesystem::path folder_, path_;
};

using Ids = std::vector<std::int32_t>;
using Pieces = std::vector<std::string>;

inline bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace saetap

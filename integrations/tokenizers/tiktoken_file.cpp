#include <charconv>
#include <limits>

#include "integrations/tokenizers/base64.h"
#include "integrations/tokenizers/byte_tokenizer.h"
#include "integrations/tokenizers/tokenizer_formats.h"

namespace saetap {
namespace {

struct Ranked {
  std::string bytes;
  std::int32_t rank;
};

// "IQ== 0": the token's bytes in base64 and its id.
std::optional<Ranked> ranked(std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || space == 0) return std::nullopt;
  std::optional<std::string> bytes = from_base64(line.substr(0, space));
  const std::string_view number = line.substr(space + 1);
  std::int32_t rank = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), rank);
  if (!bytes || error != std::errc() || end != number.data() + number.size() || rank < 0) return std::nullopt;
  return Ranked{std::move(*bytes), rank};
}

std::string_view first_line(std::string_view bytes) {
  std::string_view line = bytes.substr(0, bytes.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

bool looks_like_tiktoken(std::string_view bytes) {
  constexpr std::size_t kLongestLine = 1000;
  return ranked(first_line(bytes.substr(0, kLongestLine))).has_value();
}

std::unique_ptr<Tokenizer> tokenizer_from_tiktoken(std::string_view bytes) {
  IdTable table;
  std::size_t number = 0;
  bool any = false;
  while (!bytes.empty()) {
    ++number;
    const std::string_view line = first_line(bytes);
    bytes.remove_prefix(std::min(bytes.find('\n'), bytes.size() - 1) + 1);
    if (line.empty()) continue;
    std::optional<Ranked> token = ranked(line);
    if (!token) {
      throw TokenizerError("line " + std::to_string(number) + " is not a token in base64 and its rank");
    }
    table.add(token->rank, std::move(token->bytes));
    any = true;
  }
  if (!any) throw TokenizerError("it holds no tokens");
  return std::make_unique<ByteTokenizer>(std::move(table), std::vector<std::int32_t>(), std::vector<std::int32_t>());
}

}  // namespace saetap

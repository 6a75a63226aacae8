#include <array>
#include <nlohmann/json.hpp>

#include "integrations/tokenizers/base64.h"
#include "integrations/tokenizers/boundary_names.h"
#include "integrations/tokenizers/byte_tokenizer.h"
#include "integrations/tokenizers/tokenizer_formats.h"
#include "integrations/tokenizers/utf8.h"

namespace saetap {
namespace {

// Before version 11 the file does not name its special tokens: mistral-common 1.13, Tekkenizer.
constexpr std::array<std::string_view, 20> kFirstSpecialTokens{"<unk>",
                                                               "<s>",
                                                               "</s>",
                                                               "[INST]",
                                                               "[/INST]",
                                                               "[AVAILABLE_TOOLS]",
                                                               "[/AVAILABLE_TOOLS]",
                                                               "[TOOL_RESULTS]",
                                                               "[/TOOL_RESULTS]",
                                                               "[TOOL_CALLS]",
                                                               "[IMG]",
                                                               "<pad>",
                                                               "[IMG_BREAK]",
                                                               "[IMG_END]",
                                                               "[PREFIX]",
                                                               "[MIDDLE]",
                                                               "[SUFFIX]",
                                                               "[SYSTEM_PROMPT]",
                                                               "[/SYSTEM_PROMPT]",
                                                               "[TOOL_CONTENT]"};
constexpr std::int32_t kMostSpecialTokens = 1'000'000;  // real files have 1,000: a wrong count must not fill the memory

std::int32_t count_from(const nlohmann::json& tekken, const char* key) {
  const nlohmann::json& config = tekken["config"];
  if (!config.is_object() || !config.contains(key)) {
    throw TokenizerError(std::string("its \"config\" has no \"") + key + "\"");
  }
  return id_from(config[key]);
}

std::vector<std::string> special_tokens(const nlohmann::json& tekken, std::int32_t count) {
  std::vector<std::string> names(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = "<SPECIAL_" + std::to_string(i) + ">";
  const auto listed = tekken.find("special_tokens");
  if (listed == tekken.end() || listed->is_null()) {
    for (std::size_t i = 0; i < std::min(names.size(), kFirstSpecialTokens.size()); ++i) {
      names[i] = kFirstSpecialTokens[i];
    }
    return names;
  }
  if (!listed->is_array()) throw TokenizerError("its \"special_tokens\" is not a list");
  for (const auto& token : *listed) {
    if (!token.is_object() || !token.contains("rank") || !token.contains("token_str") ||
        !token["token_str"].is_string() || id_from(token["rank"]) >= count) {
      throw TokenizerError("one of its \"special_tokens\" lacks a text \"token_str\" or a \"rank\" below " +
                           std::to_string(count));
    }
    names[static_cast<std::size_t>(id_from(token["rank"]))] = token["token_str"].get<std::string>();
  }
  return names;
}

// Ids are ranks moved up by the special tokens. The file holds more tokens than the model uses.
void add_vocab(const nlohmann::json& vocab, std::int32_t first_id, std::int32_t end_id, IdTable& table) {
  for (const auto& token : vocab) {
    if (!token.is_object() || !token.contains("rank") || !token.contains("token_bytes") ||
        !token["token_bytes"].is_string()) {
      throw TokenizerError("an entry of its \"vocab\" lacks a \"rank\" or a text \"token_bytes\"");
    }
    const std::int32_t rank = id_from(token["rank"]);
    if (rank >= end_id - first_id) continue;
    std::optional<std::string> bytes = from_base64(token["token_bytes"].get_ref<const std::string&>());
    if (!bytes) throw TokenizerError("the bytes of its token of rank " + std::to_string(rank) + " are not base64");
    table.add(first_id + rank, std::move(*bytes));
  }
}

}  // namespace

std::unique_ptr<Tokenizer> tokenizer_from_tekken(const nlohmann::json& tekken) {
  const std::int32_t size = count_from(tekken, "default_vocab_size");
  const std::int32_t special_count = count_from(tekken, "default_num_special_tokens");
  if (special_count > std::min(size, kMostSpecialTokens)) {
    throw TokenizerError("its \"config\" says that more tokens are special than there are");
  }
  IdTable table;
  std::vector<std::int32_t> special_ids, boundary_ids;
  for (std::string& name : special_tokens(tekken, special_count)) {
    const auto id = static_cast<std::int32_t>(special_ids.size());
    special_ids.push_back(id);
    if (is_boundary_name(name)) boundary_ids.push_back(id);
    table.add(id, std::move(name));
  }
  add_vocab(tekken["vocab"], special_count, size, table);
  return std::make_unique<ByteTokenizer>(std::move(table), std::move(special_ids), std::move(boundary_ids));
}

}  // namespace saetap

#include "integrations/tokenizers/post_processor.h"

#include <nlohmann/json.hpp>

#include "integrations/tokenizers/id_table.h"
#include "integrations/tokenizers/tokenizer.h"

namespace saetap {
namespace {

constexpr int kDeepest = 16;  // sequences in sequences; a hostile file must not exhaust the stack

void add_from(const nlohmann::json& processor, int depth, std::vector<std::int32_t>& ids);

// "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}
void add_from_template(const nlohmann::json& processor, std::vector<std::int32_t>& ids) {
  const auto tokens = processor.find("special_tokens");
  if (tokens == processor.end() || !tokens->is_object()) return;
  for (const auto& token : *tokens) {
    if (!token.is_object() || !token.contains("ids") || !token["ids"].is_array()) continue;
    for (const auto& id : token["ids"]) ids.push_back(id_from(id));
  }
}

// "cls": ["[CLS]", 101]
void add_from_pair(const nlohmann::json& processor, const char* key, std::vector<std::int32_t>& ids) {
  const auto pair = processor.find(key);
  if (pair != processor.end() && pair->is_array() && pair->size() == 2) ids.push_back(id_from((*pair)[1]));
}

void add_from_sequence(const nlohmann::json& processor, int depth, std::vector<std::int32_t>& ids) {
  const auto listed = processor.find("processors");
  if (listed == processor.end() || !listed->is_array()) return;
  if (depth == kDeepest) throw TokenizerError("its post_processor is nested too deeply");
  for (const auto& one : *listed) add_from(one, depth + 1, ids);
}

void add_from(const nlohmann::json& processor, int depth, std::vector<std::int32_t>& ids) {
  if (!processor.is_object() || !processor.contains("type")) return;
  const nlohmann::json& type = processor["type"];
  if (type == "TemplateProcessing") add_from_template(processor, ids);
  if (type == "Sequence") add_from_sequence(processor, depth, ids);
  if (type == "BertProcessing" || type == "RobertaProcessing") {
    add_from_pair(processor, "cls", ids);
    add_from_pair(processor, "sep", ids);
  }
}

}  // namespace

std::vector<std::int32_t> ids_put_around(const nlohmann::json& post_processor) {
  std::vector<std::int32_t> ids;
  add_from(post_processor, 0, ids);
  return ids;
}

}  // namespace saetap

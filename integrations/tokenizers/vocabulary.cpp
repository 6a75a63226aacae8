#include "integrations/tokenizers/vocabulary.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "integrations/tokenizers/boundary_names.h"
#include "integrations/tokenizers/post_processor.h"
#include "integrations/tokenizers/tokenizer.h"

namespace saetap {
namespace {

// Unigram: [["<unk>", 0.0], ["▁the", -3.1]…], the place is the id.
void add_scored(const nlohmann::json& vocab, IdTable& entries) {
  std::int32_t id = 0;
  for (const auto& scored : vocab) {
    if (!scored.is_array() || scored.size() != 2 || !scored[0].is_string()) {
      throw TokenizerError("its model's \"vocab\" is a list, but not of tokens with scores");
    }
    entries.add(id++, scored[0].get<std::string>());
  }
}

}  // namespace

Vocabulary::Vocabulary(const nlohmann::json& tokenizer, IdTable vocab) : entries_(std::move(vocab)) {
  add_model(tokenizer);
  entries_.sort_and_check();
  add_added_tokens(tokenizer);
  const auto post_processor = tokenizer.find("post_processor");
  if (post_processor != tokenizer.end()) {
    for (const std::int32_t id : ids_put_around(*post_processor)) boundary_ids_.push_back(id);
  }
  entries_.sort_and_check();
  special_ids_ = ascending(std::move(special_ids_));
  boundary_ids_ = ascending(std::move(boundary_ids_));
}

void Vocabulary::add_model(const nlohmann::json& tokenizer) {
  const auto model = tokenizer.find("model");
  const bool there = model != tokenizer.end() && model->is_object() && model->contains("vocab");
  if (there && (*model)["vocab"].is_array()) return add_scored((*model)["vocab"], entries_);
  if (!there || !(*model)["vocab"].is_object()) {
    throw TokenizerError("it has no \"model\" with a \"vocab\" from tokens to ids");
  }
  const auto& vocab = (*model)["vocab"].get_ref<const nlohmann::json::object_t&>();
  for (const auto& [text, id] : vocab) entries_.add(id_from(id), text);
}

void Vocabulary::add_added_tokens(const nlohmann::json& tokenizer) {
  const auto added = tokenizer.find("added_tokens");
  if (added == tokenizer.end()) return;
  if (!added->is_array()) throw TokenizerError("its \"added_tokens\" is not a list");
  std::vector<std::pair<std::int32_t, std::string>> beside;
  for (const auto& token : *added) {
    if (!token.is_object() || !token.contains("id") || !token.contains("content") || !token["content"].is_string()) {
      throw TokenizerError("one of its \"added_tokens\" lacks an \"id\" or a text \"content\"");
    }
    const std::int32_t id = id_from(token["id"]);
    const auto& content = token["content"].get_ref<const std::string&>();
    // Often in the model's vocabulary too, which says the same thing twice. If it says another, it is what counts: the
    // reference gives such an added token an id of its own.
    const std::string* known = entries_.entry(id);
    if (known && *known != content) continue;
    if (!known) beside.emplace_back(id, content);
    if (is_boundary_name(content)) boundary_ids_.push_back(id);
    const auto special = token.find("special");
    if (special != token.end() && special->is_boolean() && special->get<bool>()) special_ids_.push_back(id);
  }
  for (auto& [id, content] : beside) entries_.add(id, std::move(content));
}

}  // namespace saetap

#include "integrations/tokenizers/vocabulary.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "integrations/tokenizers/tokenizer.h"

namespace saetap {
namespace {

std::int32_t id_from(const nlohmann::json& value) {
  constexpr auto kLargest = static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max());
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > kLargest) {
    throw TokenizerError("it holds a token id that is not a whole number from 0 to 2147483647");
  }
  return static_cast<std::int32_t>(value.get<std::uint64_t>());
}

}  // namespace

Vocabulary::Vocabulary(const nlohmann::json& tokenizer) {
  add_model(tokenizer);
  add_added_tokens(tokenizer);
  sort_and_check();
}

void Vocabulary::add_model(const nlohmann::json& tokenizer) {
  const auto model = tokenizer.find("model");
  if (model == tokenizer.end() || !model->is_object() || !model->contains("vocab") || !(*model)["vocab"].is_object()) {
    throw TokenizerError("it has no \"model\" with a \"vocab\" from tokens to ids");
  }
  const auto& vocab = (*model)["vocab"].get_ref<const nlohmann::json::object_t&>();
  entries_.reserve(vocab.size());
  for (const auto& [text, id] : vocab) entries_.emplace_back(id_from(id), text);
}

void Vocabulary::add_added_tokens(const nlohmann::json& tokenizer) {
  const auto added = tokenizer.find("added_tokens");
  if (added == tokenizer.end()) return;
  if (!added->is_array()) throw TokenizerError("its \"added_tokens\" is not a list");
  for (const auto& token : *added) {
    if (!token.is_object() || !token.contains("id") || !token.contains("content") || !token["content"].is_string()) {
      throw TokenizerError("one of its \"added_tokens\" lacks an \"id\" or a text \"content\"");
    }
    const std::int32_t id = id_from(token["id"]);
    entries_.emplace_back(id, token["content"].get<std::string>());
    const auto special = token.find("special");
    if (special != token.end() && special->is_boolean() && special->get<bool>()) special_ids_.push_back(id);
  }
}

void Vocabulary::sort_and_check() {
  std::sort(entries_.begin(), entries_.end());
  // An added token that is also in the model's vocabulary says the same thing twice, which is usual.
  entries_.erase(std::unique(entries_.begin(), entries_.end()), entries_.end());
  const auto collision = std::adjacent_find(entries_.begin(), entries_.end(),
                                            [](const auto& a, const auto& b) { return a.first == b.first; });
  if (collision != entries_.end()) {
    throw TokenizerError("two of its tokens have the id " + std::to_string(collision->first));
  }
  std::sort(special_ids_.begin(), special_ids_.end());
  special_ids_.erase(std::unique(special_ids_.begin(), special_ids_.end()), special_ids_.end());
}

const std::string* Vocabulary::entry(std::int32_t id) const {
  const auto found = std::lower_bound(entries_.begin(), entries_.end(), id,
                                      [](const auto& entry, std::int32_t wanted) { return entry.first < wanted; });
  return found != entries_.end() && found->first == id ? &found->second : nullptr;
}

}  // namespace saetap

// The entries of a tokenizer.json by id: the model's vocabulary, and the added tokens beside it.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "integrations/tokenizers/id_table.h"

namespace saetap {

class Vocabulary {
 public:
  // `vocab`: entries of the model besides those in `tokenizer`. Throws TokenizerError: wrong types, ids that are no
  // ids, or two entries of the model, or two added ones, with one id.
  Vocabulary(const nlohmann::json& tokenizer, IdTable vocab);

  // Null for an id that has no entry.
  [[nodiscard]] const std::string* entry(std::int32_t id) const { return entries_.entry(id); }
  [[nodiscard]] const std::vector<std::int32_t>& special_ids() const { return special_ids_; }
  [[nodiscard]] const std::vector<std::int32_t>& boundary_ids() const { return boundary_ids_; }

 private:
  void add_model(const nlohmann::json& tokenizer);
  void add_added_tokens(const nlohmann::json& tokenizer);

  IdTable entries_;
  std::vector<std::int32_t> special_ids_, boundary_ids_;
};

}  // namespace saetap

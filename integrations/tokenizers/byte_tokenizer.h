// Tokens that are bytes, not text: .tiktoken and tekken.json.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "integrations/tokenizers/id_table.h"
#include "integrations/tokenizers/tokenizer.h"

namespace saetap {

class ByteTokenizer : public Tokenizer {
 public:
  // The table is checked here, the ids are ascending. Throws TokenizerError: an id with two entries.
  ByteTokenizer(IdTable bytes, std::vector<std::int32_t> special_ids, std::vector<std::int32_t> boundary_ids);

  [[nodiscard]] std::vector<std::string> pieces(std::span<const std::int32_t> tokens) const override;
  [[nodiscard]] const std::vector<std::int32_t>& special_ids() const override { return special_ids_; }
  [[nodiscard]] const std::vector<std::int32_t>& boundary_ids() const override { return boundary_ids_; }

 private:
  IdTable bytes_;
  std::vector<std::int32_t> special_ids_, boundary_ids_;
};

}  // namespace saetap

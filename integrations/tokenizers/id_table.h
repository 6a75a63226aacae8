// What stands for each token id: a text, or bytes.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

namespace saetap {

class IdTable {
 public:
  void reserve(std::size_t ids) { entries_.reserve(ids); }
  void add(std::int32_t id, std::string entry) { entries_.emplace_back(id, std::move(entry)); }
  // To be called after the last add() and before entry(). The same entry twice is one. Throws TokenizerError: an id
  // with two entries.
  void sort_and_check();

  // Null for an id that has no entry.
  [[nodiscard]] const std::string* entry(std::int32_t id) const;

 private:
  std::vector<std::pair<std::int32_t, std::string>> entries_;  // ascending ids, which may have gaps
};

// Throws TokenizerError for what is no token id.
[[nodiscard]] std::int32_t id_from(const nlohmann::json& value);
// How an id that has no entry is shown: "[id 31999]".
[[nodiscard]] std::string unknown_id_text(std::int32_t id);
// Ascending, each once.
[[nodiscard]] std::vector<std::int32_t> ascending(std::vector<std::int32_t> ids);

}  // namespace saetap

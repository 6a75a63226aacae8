#include "integrations/tokenizers/id_table.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "integrations/tokenizers/tokenizer.h"

namespace saetap {

void IdTable::sort_and_check() {
  // Files mostly have them in this order.
  if (!std::is_sorted(entries_.begin(), entries_.end())) std::sort(entries_.begin(), entries_.end());
  entries_.erase(std::unique(entries_.begin(), entries_.end()), entries_.end());
  const auto collision = std::adjacent_find(entries_.begin(), entries_.end(),
                                            [](const auto& a, const auto& b) { return a.first == b.first; });
  if (collision != entries_.end()) {
    throw TokenizerError("two of its tokens have the id " + std::to_string(collision->first));
  }
}

const std::string* IdTable::entry(std::int32_t id) const {
  const auto found = std::lower_bound(entries_.begin(), entries_.end(), id,
                                      [](const auto& entry, std::int32_t wanted) { return entry.first < wanted; });
  return found != entries_.end() && found->first == id ? &found->second : nullptr;
}

std::int32_t id_from(const nlohmann::json& value) {
  constexpr auto kLargest = static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max());
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > kLargest) {
    throw TokenizerError("it holds a token id that is not a whole number from 0 to 2147483647");
  }
  return static_cast<std::int32_t>(value.get<std::uint64_t>());
}

std::string unknown_id_text(std::int32_t id) {
  return "[id " + std::to_string(id) + "]";
}

std::vector<std::int32_t> ascending(std::vector<std::int32_t> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace saetap

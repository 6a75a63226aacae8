#include "plugin/trace/documents.h"

#include <algorithm>

namespace saetap {
namespace {

void sort_unique(std::vector<std::int32_t>& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

bool contains(const std::vector<std::int32_t>& ids, std::int32_t id) {
  return std::binary_search(ids.begin(), ids.end(), id);
}

}  // namespace

void TokenRules::normalise() {
  sort_unique(ignored_ids);
  sort_unique(boundary_ids);
}

SplitRow split_documents(std::span<const std::int32_t> tokens, std::span<const std::uint8_t> attended,
                         const TokenRules& rules) {
  SplitRow row;
  row.places.resize(tokens.size());
  const auto silent = [&](std::size_t at) {
    return (!attended.empty() && attended[at] == 0) || contains(rules.ignored_ids, tokens[at]);
  };
  const auto boundary = [&](std::size_t at) { return contains(rules.boundary_ids, tokens[at]); };

  for (std::size_t begin = 0; begin < tokens.size();) {
    std::size_t end = begin;
    while (end < tokens.size() && !boundary(end)) ++end;
    const auto next = end + 1;
    while (begin < end && silent(begin)) ++begin;
    while (end > begin && silent(end - 1)) --end;
    if (begin < end) {
      const auto document = static_cast<std::int32_t>(row.documents.size());
      row.documents.push_back({begin, end - begin});
      for (auto at = begin; at < end; ++at) {
        const auto position = static_cast<std::int32_t>(at - begin);
        row.places[at] = {document, position, position >= rules.first_positions && !silent(at)};
      }
    }
    begin = next;
  }
  return row;
}

}  // namespace saetap

#include "integrations/analysis/activating_tokens.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "integrations/analysis/visible_text.h"
#include "integrations/tokenizers/id_table.h"

namespace saetap {

std::vector<TokenCount> commonest(std::span<const std::int32_t> tokens, std::size_t top) {
  std::unordered_map<std::int32_t, std::uint64_t> counts;
  for (const std::int32_t token : tokens) ++counts[token];
  std::vector<TokenCount> sorted;
  sorted.reserve(counts.size());
  for (const auto& [token, count] : counts) sorted.push_back({token, count});
  std::sort(sorted.begin(), sorted.end(), [](const TokenCount& a, const TokenCount& b) {
    return std::tuple(b.count, a.token) < std::tuple(a.count, b.token);
  });
  if (sorted.size() > top) sorted.resize(top);
  return sorted;
}

std::vector<std::int32_t> known_tokens(const StoreReader& store, std::span<const Sample> samples) {
  std::vector<std::int32_t> tokens;
  for (const Sample& sample : samples) {
    const Context context = store.context(sample, 0, 0);
    if (context.activating < context.tokens.size()) tokens.push_back(context.tokens[context.activating]);
  }
  return tokens;
}

std::vector<TokenCount> commonest_tokens(const StoreReader& store, std::span<const Sample> samples, std::size_t top) {
  return commonest(known_tokens(store, samples), top);
}

std::string token_text(std::int32_t token, const Tokenizer* tokenizer) {
  if (!tokenizer) return std::to_string(token);
  const std::string text = tokenizer->decode(std::span(&token, 1));
  // A decoder may leave nothing of a token that stands alone: Llama's drops the first space.
  return text.empty() ? unknown_id_text(token) : visible(text);
}

}  // namespace saetap

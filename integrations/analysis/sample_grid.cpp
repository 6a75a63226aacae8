#include "integrations/analysis/sample_grid.h"

#include <algorithm>

#include "integrations/analysis/activating_tokens.h"
#include "integrations/analysis/excerpt.h"
#include "integrations/analysis/visible_text.h"
#include "integrations/tokenizers/utf8.h"

namespace saetap {
namespace {

// More tokens than are shown help to decode: a character may be of several.
constexpr std::uint32_t kMore = 3;

// A token that goes on with a word, as it is by itself: "##el", where joined text would have "el" like a word. One that
// completes a character is as it is in the text.
std::string text_of(std::int32_t id, const std::string& piece, const Tokenizer* tokenizer) {
  if (!tokenizer || piece.empty() || piece.starts_with(' ')) return visible(piece);
  const std::string alone = token_text(id, tokenizer);
  return alone.find(kReplacementCharacter) == std::string::npos ? alone : visible(piece);
}

}  // namespace

std::vector<GridRow> sample_grid(const StoreReader& store, int site, std::uint32_t feature, Scope scope,
                                 std::span<const Sample> samples, std::uint32_t before, std::uint32_t after,
                                 const Tokenizer* tokenizer) {
  std::vector<GridRow> rows;
  const auto around = store.context_activations(site, feature, scope, samples);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    GridRow& row = rows.emplace_back(GridRow{.sample = samples[i]});
    const Context context = store.context(samples[i], before + kMore, after + kMore);
    if (context.activating >= context.tokens.size()) continue;
    const std::vector<std::string> texts = texts_of(context.tokens, tokenizer);
    const auto along = activations_along(samples[i], around[i], store.run().sample_context_size, context.tokens.size(),
                                         context.activating);
    const std::size_t first = context.activating - std::min<std::size_t>(before, context.activating);
    const std::size_t end = std::min(context.activating + after + 1, context.tokens.size());
    for (std::size_t at = first; at < end; ++at) {
      row.tokens.push_back({context.tokens[at], text_of(context.tokens[at], texts[at], tokenizer),
                            along.empty() ? std::nullopt : along[at]});
    }
    row.activating = context.activating - first;
    // Its own activation is known in any case.
    row.tokens[row.activating].activation = samples[i].activation;
  }
  return rows;
}

}  // namespace saetap

#include "integrations/analysis/excerpt.h"

#include <algorithm>
#include <string_view>

#include "integrations/analysis/visible_text.h"
#include "integrations/tokenizers/utf8.h"

namespace saetap {
namespace {

constexpr std::uint32_t kLongestCharacter = 4;  // bytes, and so tokens that may share it

std::string_view without_leading_spaces(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text;
}

// `shown` is what is left of `text` when its beginning is cut off: the same without the word that the cut went through,
// if there is another one.
std::string_view from_whole_word(std::string_view text, std::string_view shown) {
  const std::size_t cut = text.size() - shown.size();
  if (cut == 0 || text[cut - 1] == ' ') return shown;
  const std::size_t space = shown.find(' ');
  return space == std::string_view::npos || space + 1 == shown.size() ? shown : shown.substr(space + 1);
}

// The same for a text whose end is cut off.
std::string_view to_whole_word(std::string_view text, std::string_view shown) {
  if (shown.size() == text.size() || text[shown.size()] == ' ') return shown;
  const std::size_t space = shown.rfind(' ');
  return space == std::string_view::npos || space == 0 ? shown : shown.substr(0, space);
}

std::string marked(const ShownText& shown) {
  std::string text;
  if (!shown.from_start) text += kEllipsis;
  text.append(shown.before).append("«").append(shown.token).append("»").append(shown.after);
  if (!shown.to_end) text += kEllipsis;
  return text;
}

// The token that carries the text of the activating one: itself, or, if it holds the beginning of a character, the one
// that completes it. Where there is none the text becomes what the token is by itself, so that the mark is not empty.
std::size_t carrier_of(const Context& context, std::vector<std::string>& texts, const Tokenizer& tokenizer) {
  const std::size_t activating = context.activating;
  const std::string alone = tokenizer.decode(std::span(context.tokens).subspan(activating, 1));
  if (!alone.starts_with(texts[activating])) return activating;
  const auto lost = std::string_view(alone).substr(texts[activating].size());
  if (!lost.starts_with(kReplacementCharacter)) return activating;
  const std::size_t end = std::min<std::size_t>(texts.size(), activating + kLongestCharacter);
  for (std::size_t i = activating + 1; i < end; ++i) {
    if (!texts[i].empty()) return i;
  }
  texts[activating] = alone;
  return activating;
}

}  // namespace

std::vector<std::string> texts_of(std::span<const std::int32_t> ids, const Tokenizer* tokenizer) {
  if (tokenizer) return tokenizer->excerpt_pieces(ids);
  std::vector<std::string> texts;
  for (const std::int32_t id : ids) texts.push_back(std::to_string(id));
  return texts;
}

std::string redaction_text(const RunFacts& run) {
  if (run.redact == "text") return "the store was redacted: token ids without their text (--tokenizer FILE reads it)";
  if (run.redact == "tokens") return "the store was redacted: where each sample was, without its tokens";
  return "";
}

Excerpt excerpt_of(const Context& context, std::uint32_t before, std::uint32_t after, const Tokenizer* tokenizer) {
  Excerpt excerpt;
  const std::size_t activating = context.activating;
  if (activating >= context.tokens.size()) return excerpt;
  std::vector<std::string> texts = texts_of(context.tokens, tokenizer);
  if (!tokenizer) {
    for (std::string& id : texts) id.insert(0, 1, ' ');
  }
  const std::size_t first = activating - std::min<std::size_t>(before, activating);
  const std::size_t last = activating + std::min<std::size_t>(after, texts.size() - 1 - activating);
  const std::size_t marked_last = tokenizer ? carrier_of(context, texts, *tokenizer) : activating;
  const auto joined = [&](std::size_t begin, std::size_t end) {
    std::string text;
    for (std::size_t i = begin; i < end; ++i) text += texts[i];
    return text;
  };
  excerpt.known = true;
  excerpt.before = joined(first, activating);
  excerpt.token = joined(activating, marked_last + 1);
  excerpt.after = joined(marked_last + 1, last + 1);
  // The mark stands at the word, not at the space before it; a token of spaces alone stays whole.
  const std::size_t spaces = excerpt.token.find_first_not_of(' ');
  if (spaces != std::string::npos) {
    excerpt.before.append(spaces, ' ');
    excerpt.token.erase(0, spaces);
  }
  for (std::size_t i = first; i <= last; ++i) excerpt.pieces.push_back(visible(texts[i]));
  for (std::size_t i = activating; i <= last && i <= marked_last; ++i) excerpt.pieces[i - first].clear();
  excerpt.pieces[activating - first] = visible(joined(activating, marked_last + 1));
  excerpt.before = visible(excerpt.before);
  excerpt.token = visible(excerpt.token);
  excerpt.after = visible(excerpt.after);
  excerpt.from_start = context.at_start && first == 0;
  excerpt.to_end = context.at_end && last + 1 == texts.size();
  excerpt.ids.assign(context.tokens.begin() + static_cast<std::ptrdiff_t>(first),
                     context.tokens.begin() + static_cast<std::ptrdiff_t>(last + 1));
  excerpt.activating = activating - first;
  return excerpt;
}

Excerpt read_excerpt(const StoreReader& store, const Sample& sample, std::uint32_t before, std::uint32_t after,
                     const Tokenizer* tokenizer) {
  constexpr std::uint32_t kMore = kLongestCharacter - 1;
  return excerpt_of(store.context(sample, before + kMore, after + kMore), before, after, tokenizer);
}

ShownText shown_text(const Excerpt& excerpt) {
  return {.before = std::string(without_leading_spaces(excerpt.before)),
          .token = excerpt.token,
          .after = excerpt.after,
          .from_start = excerpt.from_start,
          .to_end = excerpt.to_end};
}

ShownText shown_text(const Excerpt& excerpt, std::size_t columns) {
  if (display_width(marked(excerpt)) <= columns) return shown_text(excerpt);
  const std::string_view before = without_leading_spaces(excerpt.before);
  const std::string_view after = excerpt.after;
  constexpr std::size_t kMarks = 4;  // « » and an ellipsis on each side
  const std::size_t taken = display_width(excerpt.token) + kMarks;
  const std::size_t room = columns > taken ? columns - taken : 0;
  // Half the room for each side; what one side does not need goes to the other.
  const std::size_t before_width = display_width(before);
  const std::size_t after_width = display_width(after);
  const std::size_t before_room = std::max(room / 2, room - std::min(room, after_width));
  const std::string_view shown_before =
      from_whole_word(before, trailing_columns(before, std::min(before_width, before_room)));
  const std::size_t after_room = room - std::min(room, display_width(shown_before));
  const std::string_view shown_after = to_whole_word(after, leading_columns(after, after_room));
  return {.before = std::string(without_leading_spaces(shown_before)),
          .token = excerpt.token,
          .after = std::string(shown_after),
          .from_start = excerpt.from_start && shown_before.size() == before.size(),
          .to_end = excerpt.to_end && shown_after.size() == after.size()};
}

std::string marked(const Excerpt& excerpt) {
  return excerpt.known ? marked(shown_text(excerpt)) : "(token not known)";
}

std::string marked(const Excerpt& excerpt, std::size_t columns) {
  return excerpt.known ? marked(shown_text(excerpt, columns)) : marked(excerpt);
}

}  // namespace saetap

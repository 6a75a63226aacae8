#include "integrations/analysis/excerpt.h"

#include <algorithm>
#include <string_view>

#include "integrations/analysis/visible_text.h"

namespace saetap {
namespace {

constexpr std::string_view kEllipsis = "…";

std::vector<std::string> texts_of(std::span<const std::int32_t> ids, const Tokenizer* tokenizer) {
  if (tokenizer) return tokenizer->pieces(ids);
  std::vector<std::string> texts;
  for (const std::int32_t id : ids) texts.push_back(std::to_string(id).insert(0, 1, ' '));
  return texts;
}

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

std::string marked_parts(std::string_view before, std::string_view token, std::string_view after, bool from_start,
                         bool to_end) {
  std::string text;
  if (!from_start) text += kEllipsis;
  text.append(without_leading_spaces(before)).append("«").append(token).append("»").append(after);
  if (!to_end) text += kEllipsis;
  return text;
}

}  // namespace

Excerpt excerpt_of(const Context& context, std::uint32_t before, const Tokenizer* tokenizer) {
  Excerpt excerpt;
  if (context.activating >= context.tokens.size()) return excerpt;
  const std::vector<std::string> texts = texts_of(context.tokens, tokenizer);
  const std::size_t first = context.activating - std::min<std::size_t>(before, context.activating);
  excerpt.known = true;
  for (std::size_t i = first; i < context.activating; ++i) excerpt.before += texts[i];
  excerpt.token = texts[context.activating];
  for (std::size_t i = context.activating + 1; i < texts.size(); ++i) excerpt.after += texts[i];
  // The mark stands at the word, not at the space before it; a token of spaces alone stays whole.
  const std::size_t spaces = excerpt.token.find_first_not_of(' ');
  if (spaces != std::string::npos) {
    excerpt.before.append(spaces, ' ');
    excerpt.token.erase(0, spaces);
  }
  excerpt.before = visible(excerpt.before);
  excerpt.token = visible(excerpt.token);
  excerpt.after = visible(excerpt.after);
  excerpt.from_start = context.at_start && first == 0;
  excerpt.to_end = context.at_end;
  excerpt.ids.assign(context.tokens.begin() + static_cast<std::ptrdiff_t>(first), context.tokens.end());
  excerpt.activating = context.activating - first;
  return excerpt;
}

Excerpt read_excerpt(const StoreReader& store, const Sample& sample, std::uint32_t before, std::uint32_t after,
                     const Tokenizer* tokenizer) {
  return excerpt_of(store.context(sample, before + 1, after), before, tokenizer);
}

std::string marked(const Excerpt& excerpt) {
  if (!excerpt.known) return "(token not known)";
  return marked_parts(excerpt.before, excerpt.token, excerpt.after, excerpt.from_start, excerpt.to_end);
}

std::string marked(const Excerpt& excerpt, std::size_t columns) {
  std::string whole = marked(excerpt);
  if (!excerpt.known || display_width(whole) <= columns) return whole;
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
  return marked_parts(shown_before, excerpt.token, shown_after,
                      excerpt.from_start && shown_before.size() == before.size(),
                      excerpt.to_end && shown_after.size() == after.size());
}

}  // namespace saetap

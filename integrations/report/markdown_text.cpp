#include "integrations/report/markdown_text.h"

namespace saetap {
namespace {

constexpr std::string_view kSpecial = "\\`*_[]<|~$";

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

std::string markdown_escaped(std::string_view visible_text) {
  std::string text;
  for (const char c : visible_text) {
    if (c == '&') {
      text += "&amp;";
      continue;
    }
    if (kSpecial.find(c) != std::string_view::npos) text += '\\';
    text += c;
  }
  return text;
}

std::string markdown_bold(std::string_view visible_text, char before, char after) {
  const std::string text = markdown_escaped(visible_text);
  if (visible_text.empty()) return text;
  // "end**.** The" is not bold: CommonMark wants no punctuation or space inside the asterisks where a letter is
  // outside.
  const auto works = [](char inside, char outside) {
    return is_plain(inside) || (inside != ' ' && (outside == ' ' || outside == '\n'));
  };
  const bool asterisks = works(visible_text.front(), before) && works(visible_text.back(), after);
  return asterisks ? "**" + text + "**" : "<b>" + text + "</b>";
}

}  // namespace saetap

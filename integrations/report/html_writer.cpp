#include "integrations/report/html_writer.h"

#include <array>
#include <cstdio>
#include <ostream>

#include "integrations/tokenizers/utf8.h"

namespace saetap {
namespace {

// A shade is a colour behind the text; the token that a sample is of is framed and bold besides, so that print without
// colours shows it.
constexpr const char* kStyle = R"(
:root { color-scheme: light dark; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; }
table { border-collapse: collapse; margin: .75rem 0; display: block; overflow-x: auto; }
th, td { border: 1px solid #8888; padding: .2rem .5rem; text-align: left; vertical-align: top; }
th.n, td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
li { overflow-wrap: anywhere; }
mark { background: none; color: inherit; font-weight: bold; outline: 1px solid; border-radius: 2px; }
[style] { background: rgb(255 140 0 / calc(var(--s) * 70%)); border-radius: 2px; }
section section { border-top: 1px solid #8888; }
@media print { body { max-width: none; } section section { break-inside: avoid-page; } a { color: inherit; } }
)";

std::string shade_text(double shade) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%.2f", shade);
  return text.data();
}

std::string text_of(const Span& span) {
  std::string text = html_escaped(span.text);
  if (span.shade) {
    const std::string note = span.note.empty() ? "" : " title=\"" + html_escaped(span.note) + "\"";
    const std::string tag = span.strong ? "mark" : "span";
    return "<" + tag + " style=\"--s:" + shade_text(*span.shade) + "\"" + note + ">" + text + "</" + tag + ">";
  }
  if (span.strong) text = "<strong>" + text + "</strong>";
  return span.link.empty() ? text : "<a href=\"#" + html_escaped(span.link) + "\">" + text + "</a>";
}

std::string text_of(const Line& line) {
  std::string text;
  for (const Span& span : line) text += text_of(span);
  return text;
}

const char* class_of(const Column& column) {
  return column.number ? " class=\"n\"" : "";
}

bool has_titles(const TableOf& table) {
  for (const Column& column : table.columns) {
    if (!column.title.empty()) return true;
  }
  return false;
}

}  // namespace

std::string html_escaped(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    const auto [bytes, valid] = utf8_start(text);
    switch (text.front()) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += valid ? text.substr(0, bytes) : kReplacementCharacter;
    }
    text.remove_prefix(bytes);
  }
  return escaped;
}

void HtmlWriter::begin(std::string_view title) {
  const std::string text = html_escaped(title);
  out_ << "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
          "base-uri 'none'; form-action 'none'\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>"
       << text << "</title>\n<style>" << kStyle << "</style>\n</head>\n<body>\n<main>\n<h1>" << text << "</h1>\n";
}

void HtmlWriter::heading(int level, std::string_view text) {
  for (; depth_ >= level; --depth_) out_ << "</section>\n";
  for (; depth_ < level; ++depth_) out_ << "<section>\n";
  out_ << "<h" << level << " id=\"" << heading_id(text) << "\">" << html_escaped(text) << "</h" << level << ">\n";
}

void HtmlWriter::paragraph(const Line& line) {
  out_ << "<p>" << text_of(line) << "</p>\n";
}

void HtmlWriter::table(const TableOf& table) {
  out_ << "<table aria-label=\"" << html_escaped(table.caption) << "\">\n";
  if (has_titles(table)) {
    out_ << "<thead><tr>";
    for (const Column& column : table.columns) {
      out_ << "<th scope=\"col\"" << class_of(column) << ">" << html_escaped(column.title) << "</th>";
    }
    out_ << "</tr></thead>\n";
  }
  out_ << "<tbody>\n";
  for (const auto& row : table.rows) {
    out_ << "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      const char* const tag = i == 0 ? "th scope=\"row\"" : "td";
      out_ << '<' << tag << class_of(table.columns[i]) << '>' << text_of(row[i]) << (i == 0 ? "</th>" : "</td>");
    }
    out_ << "</tr>\n";
  }
  out_ << "</tbody>\n</table>\n";
}

void HtmlWriter::list(const std::vector<Line>& items, bool numbered) {
  const char* const tag = numbered ? "ol" : "ul";
  out_ << '<' << tag << ">\n";
  for (const Line& item : items) out_ << "<li>" << text_of(item) << "</li>\n";
  out_ << "</" << tag << ">\n";
}

void HtmlWriter::end() {
  for (; depth_ > 1; --depth_) out_ << "</section>\n";
  out_ << "</main>\n</body>\n</html>\n";
}

}  // namespace saetap

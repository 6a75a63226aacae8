#include "integrations/report/markdown_writer.h"

#include <algorithm>
#include <ostream>

#include "integrations/analysis/visible_text.h"
#include "integrations/report/markdown_text.h"

namespace saetap {
namespace {

constexpr std::size_t kWidestPadded = 40;  // a cell wider than this would push all others off the screen

// `before`, `after`: the characters around it.
std::string text_of(const Span& span, char before, char after) {
  const std::string text = span.strong ? markdown_bold(span.text, before, after) : markdown_escaped(span.text);
  return span.link.empty() ? text : "[" + text + "](#" + span.link + ")";
}

// Spans that follow each other and are marked alike are one, or "**a****b**" would be no bold.
Line joined(const Line& line) {
  Line spans;
  for (const Span& span : line) {
    if (span.text.empty()) continue;
    const bool alike = !spans.empty() && spans.back().strong == span.strong && spans.back().link == span.link;
    if (alike) {
      spans.back().text += span.text;
    } else {
      spans.push_back(span);
    }
  }
  return spans;
}

std::string text_of(const Line& line) {
  const Line spans = joined(line);
  std::string text;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const char before = i == 0 ? '\n' : spans[i - 1].text.back();
    const char after = i + 1 == spans.size() ? '\n' : spans[i + 1].text.front();
    text += text_of(spans[i], before, after);
  }
  return text;
}

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::string padding(width - std::min(width, display_width(text)), ' ');
  return right ? padding + text : text + padding;
}

using Cells = std::vector<std::vector<std::string>>;

std::vector<std::size_t> widths_of(const TableOf& table, const Cells& cells) {
  constexpr std::size_t kRule = 4;  // "---:"
  std::vector<std::size_t> widths;
  for (const Column& column : table.columns) widths.push_back(std::max(kRule, display_width(column.title)));
  for (const auto& row : cells) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::size_t width = display_width(row[i]);
      if (width <= kWidestPadded) widths[i] = std::max(widths[i], width);
    }
  }
  return widths;
}

}  // namespace

void MarkdownWriter::begin(std::string_view title) {
  out_ << "# " << markdown_escaped(title) << '\n';
}

void MarkdownWriter::heading(int level, std::string_view text) {
  out_ << '\n' << std::string(static_cast<std::size_t>(level), '#') << ' ' << markdown_escaped(text) << '\n';
}

void MarkdownWriter::paragraph(const Line& line) {
  out_ << '\n' << text_of(line) << '\n';
}

void MarkdownWriter::table(const TableOf& table) {
  Cells cells;
  for (const auto& row : table.rows) {
    auto& texts = cells.emplace_back();
    for (const Line& line : row) texts.push_back(text_of(line));
  }
  const std::vector<std::size_t> widths = widths_of(table, cells);
  const std::size_t last = table.columns.size() - 1;
  const auto write = [&](const auto& text_at) {
    out_ << '|';
    for (std::size_t i = 0; i <= last; ++i) {
      const bool pads = i < last || table.columns[i].number;
      out_ << ' ' << padded(text_at(i), pads ? widths[i] : 0, table.columns[i].number) << " |";
    }
    out_ << '\n';
  };
  out_ << '\n';
  write([&](std::size_t i) { return table.columns[i].title; });
  write([&](std::size_t i) { return std::string(table.columns[i].number ? "---:" : "---"); });
  for (const auto& row : cells) {
    write([&](std::size_t i) { return row[i]; });
  }
}

void MarkdownWriter::list(const std::vector<Line>& items, bool numbered) {
  out_ << '\n';
  for (std::size_t i = 0; i < items.size(); ++i) {
    out_ << (numbered ? std::to_string(i + 1) + ". " : "- ") << text_of(items[i]) << '\n';
  }
}

}  // namespace saetap

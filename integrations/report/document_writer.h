// A document for people, said once and written as Markdown or as HTML.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace saetap {

// A piece of a line. Its text is visible text (see analysis/visible_text.h); a writer escapes what its format would act
// on.
struct Span {
  std::string text;
  bool strong = false;
  std::string link;             // the id of a heading of this document; empty: no link
  std::optional<double> shade;  // how dark the text is marked where the format can: 0 to 1
  std::string note;             // what the shade stands for
};

using Line = std::vector<Span>;

[[nodiscard]] inline Span plain(std::string text) {
  return {.text = std::move(text), .strong = false, .link = {}, .shade = {}, .note = {}};
}
[[nodiscard]] inline Span strong(std::string text) {
  return {.text = std::move(text), .strong = true, .link = {}, .shade = {}, .note = {}};
}
[[nodiscard]] inline Span link_to(std::string text, std::string id) {
  return {.text = std::move(text), .strong = false, .link = std::move(id), .shade = {}, .note = {}};
}

struct Column {
  std::string title;
  bool number = false;  // set flush right
};

struct TableOf {
  std::string caption;          // what it holds, for who does not see it
  std::vector<Column> columns;  // titles may all be empty
  std::vector<std::vector<Line>> rows;
};

// What it is given is written at once: a document may be larger than memory.
class DocumentWriter {
 public:
  virtual ~DocumentWriter() = default;

  virtual void begin(std::string_view title) = 0;
  // `level`: 2 for a chapter, 3 for what is in it. Its id is heading_id(text).
  virtual void heading(int level, std::string_view text) = 0;
  virtual void paragraph(const Line& line) = 0;
  virtual void table(const TableOf& table) = 0;
  virtual void list(const std::vector<Line>& items, bool numbered) = 0;
  virtual void end() = 0;
  // Whether a span's shade is seen.
  [[nodiscard]] virtual bool shades() const = 0;
};

// The id that a heading gets by itself where Markdown is shown on GitHub: lower case, spaces as "-", and of the rest
// letters, digits, "-" and "_". For headings of ASCII alone, each of which stands once in a document.
[[nodiscard]] std::string heading_id(std::string_view heading);

}  // namespace saetap

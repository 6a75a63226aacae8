// A document as one HTML page that needs nothing besides itself.
#pragma once

#include <iosfwd>
#include <string>

#include "integrations/report/document_writer.h"

namespace saetap {

// Text from anywhere as HTML that shows just that text, between tags and in quoted attributes. Bytes that are not UTF-8
// become U+FFFD.
[[nodiscard]] std::string html_escaped(std::string_view text);

// No script, nothing fetched (its Content-Security-Policy forbids both), readable in print and on a dark screen.
class HtmlWriter : public DocumentWriter {
 public:
  explicit HtmlWriter(std::ostream& out) : out_(out) {}

  void begin(std::string_view title) override;
  void heading(int level, std::string_view text) override;
  void paragraph(const Line& line) override;
  void table(const TableOf& table) override;
  void list(const std::vector<Line>& items, bool numbered) override;
  void end() override;
  [[nodiscard]] bool shades() const override { return true; }

 private:
  std::ostream& out_;
  int depth_ = 1;  // the level of the section that is open: every heading begins one
};

}  // namespace saetap

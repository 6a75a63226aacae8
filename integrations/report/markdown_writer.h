// A document as Markdown that GitHub renders and that reads well as it is.
#pragma once

#include <iosfwd>

#include "integrations/report/document_writer.h"

namespace saetap {

// Columns of tables are padded, for who reads it in a terminal. Shades are left out.
class MarkdownWriter : public DocumentWriter {
 public:
  explicit MarkdownWriter(std::ostream& out) : out_(out) {}

  void begin(std::string_view title) override;
  void heading(int level, std::string_view text) override;
  void paragraph(const Line& line) override;
  void table(const TableOf& table) override;
  void list(const std::vector<Line>& items, bool numbered) override;
  void end() override {}
  [[nodiscard]] bool shades() const override { return false; }

 private:
  std::ostream& out_;
};

}  // namespace saetap

// Columns of text for people.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace saetap::cli {

// Columns of the terminal that stdout is; nothing if it is none (then nothing need be cut).
[[nodiscard]] std::optional<std::size_t> terminal_columns();

enum class Align { left, right };

// Cells padded to the widest of their column, two spaces between columns.
class Table {
 public:
  explicit Table(std::vector<Align> columns) : columns_(std::move(columns)) {}

  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  void set(std::size_t row, std::size_t column, std::string text) { rows_[row][column] = std::move(text); }
  // `painted` is printed in place of the cell's text; it is as wide, whatever else it holds for the terminal.
  void paint(std::size_t row, std::size_t column, std::string painted) { painted_[{row, column}] = std::move(painted); }

  // What the other columns leave of `total` for this one; never less than a readable minimum.
  [[nodiscard]] std::size_t room_for(std::size_t column, std::size_t total) const;
  void print() const;

 private:
  [[nodiscard]] std::vector<std::size_t> widths() const;

  std::vector<Align> columns_;
  std::vector<std::vector<std::string>> rows_;
  std::map<std::pair<std::size_t, std::size_t>, std::string> painted_;
};

}  // namespace saetap::cli

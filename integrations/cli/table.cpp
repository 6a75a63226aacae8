#include "integrations/cli/table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <numeric>

#include "integrations/analysis/visible_text.h"

namespace saetap::cli {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kReadable = 24;  // columns below which an excerpt says nothing: rather let the line wrap

}  // namespace

std::optional<std::size_t> terminal_columns() {
  if (isatty(STDOUT_FILENO) == 0) return std::nullopt;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::vector<std::size_t> Table::widths() const {
  std::vector<std::size_t> widest(columns_.size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widest[i] = std::max(widest[i], display_width(row[i]));
  }
  return widest;
}

std::size_t Table::room_for(std::size_t column, std::size_t total) const {
  const std::vector<std::size_t> widest = widths();
  const std::size_t others = std::accumulate(widest.begin(), widest.end(), std::size_t{0}) - widest[column];
  const std::size_t taken = others + kGap * (columns_.size() - 1);
  return std::max(kReadable, total - std::min(total, taken));
}

void Table::print() const {
  const std::vector<std::size_t> widest = widths();
  for (std::size_t number = 0; number < rows_.size(); ++number) {
    const auto& row = rows_[number];
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const auto painted = painted_.find({number, i});
      const std::string& text = painted == painted_.end() ? row[i] : painted->second;
      const std::string padding(widest[i] - display_width(row[i]), ' ');
      if (i > 0) line.append(kGap, ' ');
      line += columns_[i] == Align::right ? padding + text : text + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::cout << line << '\n';
  }
}

}  // namespace saetap::cli

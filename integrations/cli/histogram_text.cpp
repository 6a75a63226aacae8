#include "integrations/cli/histogram_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "integrations/analysis/visible_text.h"
#include "plugin/number_text.h"

namespace saetap::cli {
namespace {

constexpr std::size_t kLines = 4;       // of the columns
constexpr std::size_t kWidest = 56;     // characters
constexpr std::size_t kMostWide = 3;    // characters of one column
constexpr std::size_t kLabelWidth = 8;  // of what is at the left
constexpr int kEighths = 8;

// Bins put together until they fit.
struct Columns {
  std::vector<std::uint64_t> counts;
  std::uint32_t first = 0;     // bin
  std::uint32_t bins_of = 1;   // in a column
  std::size_t characters = 1;  // that a column is wide
};

Columns columns_of(const ActivationHistogram& histogram) {
  Columns columns;
  const std::vector<std::uint64_t>& bins = histogram.counts();
  columns.bins_of = static_cast<std::uint32_t>((bins.size() + kWidest - 1) / kWidest);
  // A label every octave or so: columns begin where octaves do.
  if (columns.bins_of > 1) columns.bins_of = (columns.bins_of + kBinsPerOctave - 1) / kBinsPerOctave * kBinsPerOctave;
  columns.first = histogram.first() / columns.bins_of * columns.bins_of;
  for (std::size_t i = 0; i < bins.size(); ++i) {
    const std::size_t at = (histogram.first() - columns.first + i) / columns.bins_of;
    columns.counts.resize(std::max(columns.counts.size(), at + 1));
    columns.counts[at] += bins[i];
  }
  columns.characters = std::clamp<std::size_t>(kWidest / columns.counts.size(), 1, kMostWide);
  return columns;
}

// What `line` (0: the highest) shows of a column that is `share` of the highest one.
std::string cell(double share, std::size_t line, bool blocks) {
  static constexpr std::array<const char*, kEighths + 1> kBlocks{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const double height = share * kLines - static_cast<double>(kLines - 1 - line);
  int eighths = static_cast<int>(std::lround(std::clamp(height, 0.0, 1.0) * kEighths));
  if (line + 1 == kLines && share > 0) eighths = std::max(eighths, 1);
  if (blocks) return kBlocks[static_cast<std::size_t>(eighths)];
  return eighths >= kEighths / 2 ? "#" : eighths > 0 && line + 1 == kLines ? "." : " ";
}

std::string padded(const std::string& label) {
  return std::string(kLabelWidth - std::min(kLabelWidth, display_width(label)), ' ') + label;
}

std::string without_end_spaces(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

double lower_end(const Columns& columns, std::size_t column) {
  constexpr double kBias = 127;
  const double bin = static_cast<double>(columns.first) + static_cast<double>(column * columns.bins_of);
  return std::exp2(bin / kBinsPerOctave - kBias);
}

// The axis with a mark and a number below it wherever there is room, at ends of octaves.
std::array<std::string, 2> axis(const Columns& columns, bool blocks) {
  std::string line, labels(kLabelWidth + 1, ' ');
  const std::size_t before = labels.size();
  for (std::size_t column = 0; column <= columns.counts.size(); ++column) {
    const std::size_t at = column * columns.characters;
    const bool octave = (columns.first + column * columns.bins_of) % kBinsPerOctave == 0;
    const bool room = labels.size() <= before + at;
    if (octave && room) {
      labels.append(before + at - labels.size(), ' ')
          .append(activation_text(lower_end(columns, column)))
          .append(2, ' ');
    }
    const bool last = column == columns.counts.size();
    line += octave && room ? (blocks ? "┴" : "+") : last ? "" : blocks ? "─" : "-";
    for (std::size_t i = 1; i < columns.characters && !last; ++i) line += blocks ? "─" : "-";
  }
  return {padded("0") + (blocks ? "└" : "+") + line, without_end_spaces(labels)};
}

}  // namespace

bool locale_has_utf8() {
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(variable);
    if (value == nullptr || *value == '\0') continue;
    std::string name(value);
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    return name.find("utf-8") != std::string::npos || name.find("utf8") != std::string::npos;
  }
  return false;
}

std::vector<std::string> histogram_lines(const ActivationHistogram& histogram, bool blocks) {
  const std::uint64_t total = histogram.total();
  if (total == 0) return {};
  const Columns columns = columns_of(histogram);
  const std::uint64_t highest = *std::ranges::max_element(columns.counts);
  std::vector<std::string> lines;
  for (std::size_t line = 0; line < kLines; ++line) {
    std::string text = padded(line == 0 ? percent_text(share_of(highest, total)) : "") + (blocks ? "│" : "|");
    for (const std::uint64_t count : columns.counts) {
      for (std::size_t i = 0; i < columns.characters; ++i) text += cell(share_of(count, highest), line, blocks);
    }
    lines.push_back(without_end_spaces(text));
  }
  for (const std::string& line : axis(columns, blocks)) lines.push_back(line);
  return lines;
}

}  // namespace saetap::cli

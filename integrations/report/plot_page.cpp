#include "integrations/report/plot_page.h"

#include <array>
#include <sstream>

#include "integrations/analysis/visible_text.h"

namespace saetap {
namespace {

constexpr double kMargin = 3;
constexpr double kTitleSize = 3.6;
constexpr double kLineHeight = 1.4;  // of the size
constexpr double kSampleWidth = 9;   // of a line in the legend
constexpr double kBoxWidth = 4;
constexpr double kLegendLine = 4.6;
constexpr std::size_t kMostCaptionLines = 12;

std::string cut_to(const std::string& word, double width, double size) {
  if (text_width(word, size) <= width) return word;
  const double column = text_width("x", size);
  return std::string(leading_columns(word, static_cast<std::size_t>(std::max(2.0, width / column)) - 1)) + "…";
}

double sample_width(const LegendEntry& entry) {
  const bool is_line = entry.sample == LegendEntry::Sample::line || entry.sample == LegendEntry::Sample::line_and_mark;
  return is_line ? kSampleWidth : kBoxWidth;
}

double width_of(const LegendEntry& entry) {
  return sample_width(entry) + 1 + text_width(entry.text, kSmallTextSize) + 3;
}

// Entries in lines of at most `width`: how many each line has.
std::vector<std::size_t> legend_lines(const std::vector<LegendEntry>& legend, double width) {
  std::vector<std::size_t> lines;
  double taken = width;
  for (const LegendEntry& entry : legend) {
    if (lines.empty() || taken + width_of(entry) > width) {
      lines.push_back(0);
      taken = 0;
    }
    taken += width_of(entry);
    ++lines.back();
  }
  return lines;
}

// In the middle of the height of a line of small text whose baseline is at `at`.
void draw_sample(SvgDrawing& drawing, const LegendEntry& entry, PlotPoint at) {
  const double middle = at.y - kSmallTextSize * 0.35;
  const double width = sample_width(entry);
  if (entry.sample == LegendEntry::Sample::box) {
    drawing.rectangle({at.x, middle - 1.3, width, 2.6}, entry.fill, {.color = "#000000", .width = 0.15});
    return;
  }
  if (entry.sample != LegendEntry::Sample::mark) {
    drawing.line({at.x, middle}, {at.x + width, middle}, entry.style.stroke());
  }
  if (entry.sample != LegendEntry::Sample::line) {
    drawing.mark(entry.style.shape, {at.x + width / 2, middle}, kMarkSize, entry.style.color);
  }
}

void draw_legend(SvgDrawing& drawing, const std::vector<LegendEntry>& legend, PlotPoint at, double width) {
  const double left = at.x;
  std::size_t next = 0;
  drawing.begin("legend");
  for (const std::size_t entries : legend_lines(legend, width)) {
    for (const std::size_t end = next + entries; next < end; ++next) {
      draw_sample(drawing, legend[next], at);
      drawing.text({at.x + sample_width(legend[next]) + 1, at.y}, legend[next].text, {.size = kSmallTextSize});
      at.x += width_of(legend[next]);
    }
    at = {left, at.y + kLegendLine};
  }
  drawing.end();
}

}  // namespace

std::vector<std::string> wrapped(const std::string& text, double width, double size) {
  std::vector<std::string> lines;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const std::string shown = cut_to(visible(word), width, size);
    const bool belongs = shown.starts_with('%');  // to the number before
    const bool fits = !lines.empty() && (belongs || text_width(lines.back() + " " + shown, size) <= width);
    if (fits) {
      lines.back() += " " + shown;
    } else {
      lines.push_back(shown);
    }
  }
  return lines;
}

PlotPage::PlotPage(const PlotWords& words, const PlotRoom& room) {
  const double width = room.left + room.width + room.right;
  const double text = width - 2 * kMargin;
  const auto title = wrapped(words.title, text, kTitleSize);
  auto caption = wrapped(words.caption, text, kSmallTextSize);
  if (caption.size() > kMostCaptionLines) caption.resize(kMostCaptionLines);
  const double title_height = static_cast<double>(title.size()) * kTitleSize * kLineHeight;
  const double legend_height = static_cast<double>(legend_lines(words.legend, text).size()) * kLegendLine;
  const double caption_height = static_cast<double>(caption.size()) * kSmallTextSize * kLineHeight;
  area_ = {room.left, kMargin + title_height + legend_height + 1.5, room.width, room.height};
  drawing_.emplace(width, area_.bottom() + room.below + caption_height + kMargin, words.title);

  double y = kMargin + kTitleSize * 0.8;
  const auto lines = [&](const std::vector<std::string>& of, const TextStyle& style) {
    for (const std::string& one : of) {
      drawing_->text({kMargin, y}, one, style);
      y += style.size * kLineHeight;
    }
  };
  lines(title, {.size = kTitleSize, .bold = true});
  draw_legend(*drawing_, words.legend, {kMargin, y}, text);
  y = area_.bottom() + room.below + kSmallTextSize;
  drawing_->begin("caption");
  lines(caption, {.size = kSmallTextSize, .color = kNoteColor});
  drawing_->end();
}

}  // namespace saetap

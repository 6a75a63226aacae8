#include <algorithm>
#include <cmath>

#include "integrations/analysis/sample_grid.h"
#include "integrations/analysis/visible_text.h"
#include "integrations/report/picture_words.h"
#include "integrations/report/pictures.h"
#include "integrations/report/plot_page.h"
#include "plugin/number_text.h"

namespace saetap {
namespace {

constexpr double kRowHeight = 4.6;
constexpr double kHeadHeight = 5;
constexpr double kNarrowest = 5;
constexpr double kWidest = 17;  // longer tokens are cut
constexpr double kPadding = 0.8;
constexpr double kTextDrop = 0.36;  // of the size: from the middle of a line to its baseline
const Stroke kCellStroke{.color = "#999999", .width = 0.12};
const Stroke kOwnStroke{.color = "#000000", .width = 0.45};

// Columns are distances from the activating token: −before, …, 0, …, after.
struct GridColumns {
  std::size_t before = 0;
  std::vector<double> widths;
  std::vector<double> lefts;  // from the grid's own left

  [[nodiscard]] double total() const { return lefts.back() + widths.back(); }
};

std::string shown_text(const GridToken& token) {
  if (token.text.empty()) return "";  // part of a character that a later token completes
  const std::size_t begin = token.text.find_first_not_of(' ');
  return begin == std::string::npos ? "␣" : token.text.substr(begin);
}

GridColumns columns_of(const std::vector<GridRow>& rows) {
  GridColumns columns;
  std::size_t after = 0;
  for (const GridRow& row : rows) {
    columns.before = std::max(columns.before, row.activating);
    if (!row.tokens.empty()) after = std::max(after, row.tokens.size() - 1 - row.activating);
  }
  columns.widths.assign(columns.before + 1 + after, kNarrowest);
  for (const GridRow& row : rows) {
    for (std::size_t i = 0; i < row.tokens.size(); ++i) {
      double& width = columns.widths[columns.before + i - row.activating];
      width = std::max(width, text_width(shown_text(row.tokens[i]), kSmallTextSize) + 2 * kPadding);
    }
  }
  double left = 0;
  for (double& width : columns.widths) {
    width = std::min(width, kWidest);
    columns.lefts.push_back(left);
    left += width;
  }
  return columns;
}

std::string fitting(const std::string& text, double width) {
  const double room = width - 2 * kPadding;
  if (text_width(text, kSmallTextSize) <= room) return text;
  const auto columns = static_cast<std::size_t>(room / text_width("x", kSmallTextSize));
  return std::string(leading_columns(text, columns - 1)) + "…";
}

PointTable table_of(const std::vector<GridRow>& rows) {
  PointTable table{.columns = {{"rank", ""},
                               {"step", "step"},
                               {"offset", "tokens from the activating one"},
                               {"token_id", ""},
                               {"token", ""},
                               {"activation", ""}},
                   .rows = {}};
  for (std::size_t rank = 0; rank < rows.size(); ++rank) {
    const GridRow& row = rows[rank];
    const std::uint64_t number = rank + 1, step = row.sample.step;
    if (row.tokens.empty()) table.rows.push_back({number, step, std::int64_t{0}, {}, {}, row.sample.activation});
    for (std::size_t i = 0; i < row.tokens.size(); ++i) {
      const GridToken& token = row.tokens[i];
      const auto offset = static_cast<std::int64_t>(i) - static_cast<std::int64_t>(row.activating);
      table.rows.push_back({number, step, offset, std::int64_t{token.id}, token.text,
                            token.activation ? PointCell(*token.activation) : PointCell()});
    }
  }
  return table;
}

class GridDrawing {
 public:
  GridDrawing(SvgDrawing& drawing, const PlotBox& area, const GridColumns& columns, double largest)
      : drawing_(drawing), area_(area), columns_(columns), largest_(largest) {}

  void draw_head() {
    drawing_.begin("x-axis");
    for (std::size_t i = 0; i < columns_.widths.size(); ++i) {
      const auto offset = static_cast<std::int64_t>(i) - static_cast<std::int64_t>(columns_.before);
      text({middle(i), area_.top + 3}, (offset > 0 ? "+" : "") + std::to_string(offset), TextStyle::Anchor::middle);
    }
    text({area_.left - 1.5, area_.top + 3}, "activation", TextStyle::Anchor::end);
    drawing_.end();
  }

  void draw_row(std::size_t rank, const GridRow& row) {
    const double top = area_.top + kHeadHeight + static_cast<double>(rank) * kRowHeight;
    const double baseline = top + kRowHeight / 2 + kSmallTextSize * kTextDrop;
    drawing_.begin("row");
    text({3, baseline}, std::to_string(rank + 1), TextStyle::Anchor::start);
    text({area_.left - 1.5, baseline}, activation_text(row.sample.activation), TextStyle::Anchor::end);
    if (row.tokens.empty()) text({area_.left + kPadding, baseline}, "(tokens not known)", TextStyle::Anchor::start);
    for (std::size_t i = 0; i < row.tokens.size(); ++i) {
      draw_token(columns_.before + i - row.activating, row.tokens[i], top, baseline);
    }
    if (!row.tokens.empty()) drawing_.rectangle(cell_box(columns_.before, top), "none", kOwnStroke);
    drawing_.end();
  }

 private:
  [[nodiscard]] double middle(std::size_t column) const {
    return area_.left + columns_.lefts[column] + columns_.widths[column] / 2;
  }
  [[nodiscard]] PlotBox cell_box(std::size_t column, double top) const {
    return {area_.left + columns_.lefts[column], top, columns_.widths[column], kRowHeight};
  }

  void draw_token(std::size_t column, const GridToken& token, double top, double baseline) {
    const PlotBox box = cell_box(column, top);
    const double amount = token.activation && largest_ > 0 ? std::abs(double{*token.activation}) / largest_ : 0;
    drawing_.cell(box, shade(amount));
    drawing_.rectangle(box, "none", kCellStroke);
    if (!token.activation) drawing_.line({box.left, box.bottom()}, {box.left + 1.2, box.bottom() - 1.2}, kNotKnown);
    drawing_.text({middle(column), baseline}, fitting(shown_text(token), box.width),
                  {.size = kSmallTextSize, .anchor = TextStyle::Anchor::middle, .color = text_color_on(amount)});
  }

  void text(PlotPoint at, const std::string& text, TextStyle::Anchor anchor) {
    drawing_.text(at, text, {.size = kSmallTextSize, .anchor = anchor, .color = kNoteColor});
  }

  static constexpr Stroke kNotKnown{.color = "#555555", .width = 0.2};

  SvgDrawing& drawing_;
  PlotBox area_;
  const GridColumns& columns_;
  double largest_;
};

std::vector<LegendEntry> legend_of(double largest) {
  std::vector<LegendEntry> legend;
  for (const double amount : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    legend.push_back({.text = (amount == 0 ? "activation " : "") + activation_text(amount * largest),
                      .sample = LegendEntry::Sample::box,
                      .fill = shade(amount)});
  }
  return legend;
}

}  // namespace

Picture samples_picture(const PictureRequest& request, std::uint32_t feature, const SamplesShown& shown) {
  const StoreReader::Together together(request.store);
  const int site = request.site.site.id;
  const std::vector<Sample> kept = request.store.samples(site, feature, request.scope);
  if (kept.empty()) throw NothingToDraw("no sample to draw: feature " + std::to_string(feature) + " has none here");
  const auto top = std::span(kept).first(std::min(shown.top, kept.size()));
  const auto rows =
      sample_grid(request.store, site, feature, request.scope, top, shown.context, shown.context, shown.tokenizer);
  double largest = 0;
  bool all_known = true;
  for (const GridRow& row : rows) {
    for (const GridToken& token : row.tokens) {
      all_known = all_known && token.activation;
      if (token.activation) largest = std::max(largest, std::abs(double{*token.activation}));
    }
  }
  const GridColumns columns = columns_of(rows);
  PlotPage page({.title = "Feature " + std::to_string(feature) + ": its strongest samples",
                 .caption = "The darker a token, the more active the feature was at it; framed, the token that each "
                            "sample is of. " +
                            std::string(all_known ? "" : "A stroke in the corner: not known there. ") +
                            "n = " + count_text(rows.size()) + " of the " + counted(kept.size(), "sample") + " kept. " +
                            source_text(request),
                 .legend = legend_of(largest)},
                {.left = 25,
                 .right = 3,
                 .width = std::max(columns.total(), 80.0),
                 .height = kHeadHeight + static_cast<double>(rows.size()) * kRowHeight,
                 .below = 3});
  GridDrawing grid(page.drawing(), page.area(), columns, largest);
  grid.draw_head();
  for (std::size_t rank = 0; rank < rows.size(); ++rank) grid.draw_row(rank, rows[rank]);
  return {page.finished(), table_of(rows), counted(rows.size(), "sample")};
}

}  // namespace saetap

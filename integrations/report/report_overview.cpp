// The chapters that name features in tables: all of the report at a glance, and families.
#include <algorithm>
#include <cmath>
#include <utility>

#include "integrations/analysis/activating_tokens.h"
#include "integrations/report/report_chapters.h"
#include "integrations/report/statistic_text.h"
#include "integrations/report/suspicion_text.h"
#include "plugin/number_text.h"

namespace saetap {
namespace {

void add_token(Line& line, Span token, std::uint64_t count) {
  if (!line.empty()) line.push_back(plain(kTokenSeparator));
  line.push_back(std::move(token));
  line.push_back(plain(" " + count_text(count)));
}

Line features_line(const Report& report, const std::vector<std::uint32_t>& features) {
  Line line;
  for (const std::uint32_t feature : features) {
    if (!line.empty()) line.push_back(plain(", "));
    line.push_back(feature_span(report, feature));
  }
  return line;
}

std::vector<Line> family_row(const Report& report, const ReportFamily& read) {
  Line tokens;
  for (const TokenCount& one : read.tokens) {
    add_token(tokens, plain(token_text(one.token, report.request.tokenizer)), one.count);
  }
  return {features_line(report, read.family.features),
          {plain(activation_text(read.family.mean_cosine))},
          {plain(activation_text(read.family.lowest_cosine))},
          {plain(count_text(read.shared) + " of " + count_text(read.places))},
          tokens};
}

// Which rules found it, each linked.
Line marks_line(const Report& report, std::uint32_t feature) {
  Line line;
  const auto marks = report.marks.find(feature);
  if (marks == report.marks.end()) return line;
  for (const Mark& mark : marks->second) {
    if (!line.empty()) line.push_back(plain(", "));
    line.push_back(link_to(title_of(mark.kind), heading_id(title_of(mark.kind))));
  }
  return line;
}

std::string families_text(const ReportMaterial& material, std::int64_t width) {
  std::string text = "Groups in which every two decoder directions have a cosine of " + bound_text(kFamilyCosine) +
                     " or more; two at random have one of 0 ± " +
                     activation_text(1 / std::sqrt(static_cast<double>(width))) + ". ";
  text += material.all_pairs ? "All pairs of features were looked at. Families: "
                             : "The site is large: looked at were the features of this report and those nearest to "
                               "them. Families: ";
  text += count_text(material.family_count);
  if (material.family_count > material.families.size()) {
    text += "; the largest " + count_text(material.families.size()) + " are listed";
  }
  const auto alike = std::ranges::max_element(material.nearest, {}, [](const std::vector<Neighbor>& nearest) {
    return nearest.empty() ? -1.0 : nearest.front().cosine;
  });
  if (alike->empty()) return text + ".";
  return text + ". The two most alike: " + std::to_string(alike - material.nearest.begin()) + " and " +
         std::to_string(alike->front().feature) + ", cosine " + activation_text(alike->front().cosine) + ".";
}

// What the shades of a feature's samples mean.
Line shades_line() {
  Line line{plain("Shaded: how active the feature was at a token, ")};
  for (const auto& [share, text] : {std::pair(0.25, "a quarter"), {0.5, "half"}, {1.0, "all"}}) {
    line.push_back({.text = text, .strong = false, .link = {}, .shade = share, .note = {}});
    line.push_back(plain(share < 1 ? ", " : ""));
  }
  line.push_back(plain(" of its max above; framed, the token that a sample is of. Not shaded: 0, or not known."));
  return line;
}

std::vector<Line> glance_row(const Report& report, std::size_t at) {
  const std::uint32_t feature = report.request.features[at];
  const FeatureStatistics& statistics = report.material.statistics[feature];
  const GlancedTokens& found = report.material.tokens[at];
  Line tokens;
  for (const EnrichedToken& one : found.first) add_token(tokens, token_span(report, one), one.count);
  return {{feature_span(report, feature)},
          {plain(percent_text(statistics.density(report.material.eligible)))},
          {plain(activation_text(statistics.max))},
          {plain(activation_text(statistics.mean()))},
          {plain(count_text(found.of))},
          tokens,
          marks_line(report, feature)};
}

// What the tokens are, and which of them are bold.
std::string tokens_text(const ReportMaterial& material) {
  return "Tokens: those at its random samples (where too few of these are known, at its strongest), most significant "
         "first, each with its count among as many as “of” says. Bold, and below with how many times more frequent it "
         "is there than in the text (" +
         text_base_text(material.text_tokens, material.text_counted) +
         ")"
         ": what chance does not explain, q at most " +
         bound_text(kDiscoveryRate) +
         ". q is p of Fisher's exact test, corrected for every token of the text (Holm), and by the best token of each "
         "feature for the " +
         count_text(material.rates.tested()) + " features of this report that have tokens (Benjamini and Hochberg).";
}

}  // namespace

void write_overview(DocumentWriter& writer, const Report& report) {
  TableOf table{.caption = "The features of this report",
                .columns = {{"feature", true},
                            {"density", true},
                            {"max", true},
                            {"mean", true},
                            {"of", true},
                            {"tokens"},
                            {"suspicious"}},
                .rows = {}};
  for (std::size_t i = 0; i < report.request.features.size(); ++i) table.rows.push_back(glance_row(report, i));
  writer.heading(2, kOverviewChapter);
  writer.paragraph({plain(report.request.order + ". Densities are of " + count_text(report.material.eligible) +
                          " tokens. Intervals: " + kIntervalNote + ".")});
  writer.paragraph({plain(tokens_text(report.material))});
  if (writer.shades()) writer.paragraph(shades_line());
  writer.table(table);
}

void write_families(DocumentWriter& writer, const Report& report) {
  const ReportMaterial& material = report.material;
  writer.heading(2, kFamiliesChapter);
  if (material.nearest.empty()) {
    writer.paragraph({plain("The decoder was not saved, so it is not known which features are alike.")});
    return;
  }
  writer.paragraph({plain(families_text(material, report.request.site.site.d_out))});
  if (material.families.empty()) return;
  TableOf table{.caption = "Families of features",
                .columns = {{"features"}, {"mean cosine", true}, {"lowest", true}, {"shared places", true}, {"tokens"}},
                .rows = {}};
  for (const ReportFamily& read : material.families) table.rows.push_back(family_row(report, read));
  writer.paragraph(
      {plain("Shared places: of the places of their strongest samples, those of two of the features or "
             "more. Tokens: the commonest at these places, with their count.")});
  writer.table(table);
}

}  // namespace saetap

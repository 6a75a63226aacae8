// The section about one feature.
#include <algorithm>
#include <cmath>

#include "integrations/analysis/activating_tokens.h"
#include "integrations/report/report_chapters.h"
#include "integrations/report/statistic_text.h"
#include "integrations/report/suspicion_text.h"
#include "plugin/number_text.h"

namespace saetap {
namespace {

constexpr std::size_t kNeighborsShown = 3;
constexpr std::size_t kTokensShown = 8;

std::string statistics_text(const FeatureFacts& facts) {
  const FeatureStatistics& statistics = facts.statistics;
  const std::string text = "Active on " + count_text(statistics.active) + " of " + count_text(facts.eligible) +
                           " tokens: density " + density_text(facts);
  if (statistics.active == 0) return text;
  const std::string figures = text + " · mean " + mean_text(facts) + " · std " +
                              activation_text(statistics.standard_deviation()) + " · max " +
                              activation_text(statistics.max);
  if (facts.histogram.total() == 0) return figures;  // an imported store has none
  return figures + " · 10, 50 and 99 % of its values below " + activation_text(facts.quantile(10)) + ", " +
         activation_text(facts.quantile(50)) + " and " + activation_text(facts.quantile(99)) + " (±9 %)";
}

Line neighbors_line(const Report& report, std::uint32_t feature) {
  Line line;
  if (report.material.nearest.empty()) return line;
  const std::vector<Neighbor>& nearest = report.material.nearest[feature];
  for (std::size_t i = 0; i < std::min(kNeighborsShown, nearest.size()); ++i) {
    line.push_back(plain(i == 0 ? "Decoder-nearest: " : ", "));
    line.push_back(feature_span(report, nearest[i].feature));
    line.push_back(plain(" (" + activation_text(nearest[i].cosine) + ")"));
  }
  return line;
}

Line tokens_line(const Report& report, const ActivatingTokens& found) {
  Line line;
  for (const EnrichedToken& token : first_tokens(found, kTokensShown)) {
    line.push_back(plain(line.empty() ? "Tokens " + counted_among_text(found) + ": " : kTokenSeparator));
    const bool told = is_told(report.material, token);
    line.push_back(token_span(report, token));
    line.push_back(plain(" " + count_text(token.count) + (told ? " (" + lift_text(token.lift) + ")" : "")));
  }
  return line;
}

void write_marks(DocumentWriter& writer, const Report& report, std::uint32_t feature) {
  const auto marks = report.marks.find(feature);
  if (marks == report.marks.end()) return;
  Line line;
  for (const Mark& mark : marks->second) {
    line.push_back(plain(line.empty() ? "Suspicious: " : "; "));
    line.push_back(link_to(title_of(mark.kind), heading_id(title_of(mark.kind))));
    line.push_back(plain(", " + finding_text(mark.kind, *mark.found, report.request.tokenizer)));
  }
  writer.paragraph(line);
}

// How dark: the share of the largest activation of the feature.
Span piece_span(const ShownSample& shown, std::size_t token, float largest) {
  const auto shade_of = [&](float activation) {
    return std::min(1.0, std::abs(double{activation}) / std::abs(double{largest}));
  };
  Span span = plain(shown.excerpt.pieces[token]);
  span.strong = token == shown.excerpt.activating;
  if (token < shown.along.size() && shown.along[token] && *shown.along[token] != 0) {
    span.shade = shade_of(*shown.along[token]);
    span.note = activation_text(*shown.along[token]);
  } else if (span.strong) {
    span.shade = shade_of(shown.sample.activation);
    span.note = activation_text(shown.sample.activation);
  }
  return span;
}

// Spaces where an excerpt begins would be a gap after the ellipsis.
void strip_leading_spaces(Line& line) {
  for (Span& span : line) {
    span.text.erase(0, std::min(span.text.find_first_not_of(' '), span.text.size()));
    if (!span.text.empty()) return;
  }
}

// The mark stands at the word, not at the space before it.
void add_piece(Line& line, Span span) {
  const std::size_t spaces = std::min(span.text.find_first_not_of(' '), span.text.size());
  if (span.strong && spaces > 0 && spaces < span.text.size()) {
    line.push_back(plain(span.text.substr(0, spaces)));
    span.text.erase(0, spaces);
  }
  line.push_back(std::move(span));
}

Line excerpt_line(const ShownSample& shown, float largest) {
  const Excerpt& excerpt = shown.excerpt;
  if (!excerpt.known) return {plain("(token not known, row " + std::to_string(shown.sample.position) + ")")};
  Line line;
  for (std::size_t token = 0; token < excerpt.pieces.size(); ++token) {
    if (!excerpt.pieces[token].empty()) add_piece(line, piece_span(shown, token, largest));
  }
  strip_leading_spaces(line);
  if (!excerpt.from_start) line.insert(line.begin(), plain("…"));
  if (!excerpt.to_end) line.push_back(plain("…"));
  return line;
}

Line sample_line(const ShownSample& shown, float largest, const std::string& after) {
  Line line = excerpt_line(shown, largest);
  line.insert(line.begin(), plain(activation_text(shown.sample.activation) + " · "));
  line.push_back(plain(after));
  return line;
}

void write_strongest(DocumentWriter& writer, const FeatureFacts& facts) {
  std::vector<Line> items;
  for (const ShownSample& shown : facts.strongest) {
    items.push_back(sample_line(shown, facts.statistics.max, " (step " + std::to_string(shown.sample.step) + ")"));
  }
  writer.paragraph(
      {plain("Strongest " + count_text(items.size()) + " of " + count_text(facts.samples.size()) + " samples kept:")});
  writer.list(items, true);
}

void write_groups(DocumentWriter& writer, const FeatureFacts& facts) {
  std::vector<Line> items;
  for (const ShownGroup& group : facts.groups) {
    for (const ShownSample& shown : group.examples) {
      items.push_back(sample_line(shown, facts.statistics.max, ""));
    }
  }
  if (items.empty()) return;
  const std::string of = " of " + count_text(facts.random_samples.size()) + " random samples";
  writer.paragraph({plain(items.size() == 1 ? "One" + of + ":"
                                            : "One from each of " + count_text(items.size()) +
                                                  " equal groups by strength" + of + ":")});
  writer.list(items, false);
}

}  // namespace

void write_feature(DocumentWriter& writer, const Report& report, const FeatureFacts& facts) {
  writer.heading(2, feature_heading(facts.feature));
  writer.paragraph({plain(statistics_text(facts))});
  for (const Line& line : {tokens_line(report, facts.tokens), neighbors_line(report, facts.feature)}) {
    if (!line.empty()) writer.paragraph(line);
  }
  write_marks(writer, report, facts.feature);
  if (facts.samples.empty()) {
    const float threshold = report.request.store.run().sample_activation_threshold;
    writer.paragraph({plain("It was " + no_samples_text(facts, threshold) + ".")});
  } else {
    write_strongest(writer, facts);
  }
  write_groups(writer, facts);
}

}  // namespace saetap

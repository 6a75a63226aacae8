#include "integrations/cli/feature_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "integrations/analysis/activating_tokens.h"
#include "integrations/analysis/visible_text.h"
#include "integrations/cli/histogram_text.h"
#include "integrations/cli/shaded_excerpt.h"
#include "integrations/cli/table.h"
#include "integrations/report/statistic_text.h"
#include "plugin/number_text.h"

namespace saetap::cli {
namespace {

// Shares of the active values below which a quantile lies.
constexpr std::array<int, 5> kQuantiles{10, 25, 50, 75, 99};
constexpr std::size_t kTokensShown = 8;
constexpr std::size_t kTokenColumns = 24;  // of one token in a table

std::string headline(const FeatureFacts& facts) {
  const FeatureStatistics& statistics = facts.statistics;
  std::string text = "feature " + std::to_string(facts.feature) + "   density " + density_text(facts);
  if (statistics.active > 0) {
    text += "   max " + activation_text(statistics.max) + "   mean " + mean_text(facts) + "   std " +
            activation_text(statistics.standard_deviation());
  }
  return text + "   active on " + count_text(statistics.active) + " of " + count_text(facts.eligible) + " tokens";
}

std::string neighbors_text(const FeatureFacts& facts) {
  std::string text;
  for (const Neighbor& neighbor : facts.neighbors) {
    text += (text.empty() ? "decoder-nearest " : ", ") + std::to_string(neighbor.feature) + " (cosine " +
            activation_text(neighbor.cosine) + ")";
  }
  return text;
}

// "10 % below 0.41 · 50 % below 1.33 · …"
std::string quantiles_text(const FeatureFacts& facts) {
  std::string text;
  for (const int percent : kQuantiles) {
    text +=
        (text.empty() ? "" : " · ") + std::to_string(percent) + " % below " + activation_text(facts.quantile(percent));
  }
  return text;
}

void print_distribution(const FeatureFacts& facts, const PageStyle& style) {
  const auto lines = histogram_lines(facts.histogram, style.blocks);
  if (lines.empty()) return;
  std::cout << '\n'
            << style.colors.bold("size of its " + count_text(facts.histogram.total()) + " active values")
            << " (±9 %): " << quantiles_text(facts) << '\n';
  for (const std::string& line : lines) std::cout << line << '\n';
}

std::string shown_token(std::int32_t token, const Tokenizer* tokenizer) {
  return std::string(leading_columns(token_text(token, tokenizer), kTokenColumns));
}

void print_tokens(const FeatureFacts& facts, const PageStyle& style) {
  const ActivatingTokens& tokens = facts.tokens;
  if (tokens.tokens.empty()) return;
  using enum Align;
  std::cout << '\n' << style.colors.bold("commonest activating tokens") << ' ' << counted_among_text(tokens) << '\n';
  Table table({left, left, right, right, right, right});
  table.add({"", "", "count", "share", "likelier than in the text", "p"});
  const auto repeated = repeated_tokens(tokens);
  const auto shown = repeated.first(std::min(kTokensShown, repeated.size()));
  for (const EnrichedToken& token : shown) {
    table.add({"", shown_token(token.token, style.tokenizer), std::to_string(token.count),
               percent_text(share_of(token.count, token.of)), lift_text(token.lift), p_text(token.p)});
  }
  table.print();
  const std::size_t others = tokens.tokens.size() - shown.size();
  if (others > 0) std::cout << "  and " << others << (others == 1 ? " other\n" : " others\n");
}

void print_direction(const FeatureFacts& facts, const PageStyle& style) {
  if (!facts.direction) return;
  using enum Align;
  std::cout << '\n'
            << style.colors.bold("tokens that its decoder direction promotes and suppresses") << " (of "
            << count_text(facts.direction->vocabulary) << "; logit of an activation of 1, before a final norm)\n";
  Table table({left, left, right, left, right});
  const auto& [vocabulary, promoted, suppressed] = *facts.direction;
  for (std::size_t i = 0; i < std::max(promoted.size(), suppressed.size()); ++i) {
    std::vector<std::string> row{""};
    for (const auto* list : {&promoted, &suppressed}) {
      const bool any = i < list->size();
      row.push_back(any ? shown_token((*list)[i].token, style.tokenizer) : "");
      row.push_back(any ? activation_text((*list)[i].logit) : "");
    }
    table.add(row);
  }
  table.print();
}

const char* part_text(PartKind part) {
  if (part == PartKind::open) return "the open window";
  return part == PartKind::closed ? "the window before it" : "the past";
}

// "from steps 101 to 124, half of them 118 or later: 12 from the open window (the newest 12.5 % of the tokens) …"
std::string age_text(const SampleAge& age) {
  std::string text = "steps " + std::to_string(age.first_step) + " to " + std::to_string(age.last_step) +
                     ", half of them from " + std::to_string(age.median_step) + " on";
  if (age.parts.size() < 2) return text;
  const char* separator = ": ";
  for (const AgedSamples& part : age.parts) {
    if (part.samples == 0) continue;
    text.append(separator).append(count_text(part.samples)).append(" of ").append(part_text(part.part));
    if (part.newest < 1) text += " (newest " + percent_text(part.newest) + " of the run)";
    separator = ", ";
  }
  return text;
}

// One line of a table for each sample; what stands before the excerpt is told by `label`.
template <typename Label>
void print_table(const std::vector<const ShownSample*>& samples, float largest, const PageStyle& style, Label label) {
  using enum Align;
  constexpr std::size_t kExcerpt = 3;
  Table table({right, right, right, left});
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Sample& sample = samples[i]->sample;
    table.add({label(i), activation_text(sample.activation), "step " + std::to_string(sample.step), ""});
  }
  std::optional<std::size_t> room;
  if (style.columns) room = table.room_for(kExcerpt, *style.columns);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Excerpt& excerpt = samples[i]->excerpt;
    table.set(i, kExcerpt, room ? marked(excerpt, *room) : marked(excerpt));
    table.paint(i, kExcerpt, shaded_excerpt(*samples[i], room, largest, style.colors));
  }
  table.print();
}

std::string range_text(const ShownGroup& group) {
  if (group.count == 1) return activation_text(group.strongest);
  return activation_text(group.weakest) + " to " + activation_text(group.strongest);
}

std::string drawn_text(const FeatureFacts& facts) {
  const std::string active = " its " + count_text(facts.statistics.active) + " active tokens";
  if (facts.random_samples.size() == facts.statistics.active) return "all" + active;
  return count_text(facts.random_samples.size()) + " of" + active + ", drawn at random";
}

void print_groups(const FeatureFacts& facts, const PageStyle& style) {
  if (facts.groups.empty()) return;
  std::cout << '\n'
            << style.colors.bold("at every strength") << ": " << drawn_text(facts) << ", in "
            << (facts.groups.size() == 1 ? "one group" : std::to_string(facts.groups.size()) + " groups of equal size")
            << '\n';
  std::vector<const ShownSample*> samples;
  std::vector<std::string> labels;
  for (const ShownGroup& group : facts.groups) {
    for (const ShownSample& sample : group.examples) {
      const bool first = &sample == group.examples.data();
      labels.push_back(first ? range_text(group) + " (" + std::to_string(group.count) + ")" : "");
      samples.push_back(&sample);
    }
  }
  print_table(samples, facts.statistics.max, style, [&](std::size_t i) { return labels[i]; });
}

}  // namespace

void print_figures(const FeatureFacts& facts, const PageStyle& style) {
  std::cout << style.colors.bold(headline(facts)) << '\n';
  if (!facts.neighbors.empty()) std::cout << neighbors_text(facts) << '\n';
  print_distribution(facts, style);
  print_tokens(facts, style);
  print_direction(facts, style);
}

void print_strongest(const FeatureFacts& facts, const PageStyle& style) {
  std::vector<const ShownSample*> samples;
  for (const ShownSample& sample : facts.strongest) samples.push_back(&sample);
  print_table(samples, facts.statistics.max, style, [](std::size_t i) { return std::to_string(i + 1); });
}

void print_samples(const FeatureFacts& facts, float threshold, const PageStyle& style) {
  if (facts.samples.empty()) {
    std::cout << '\n' << no_samples_text(facts, threshold) << '\n';
  } else {
    std::cout << '\n'
              << style.colors.bold("strongest " + count_text(facts.strongest.size())) << " of "
              << count_text(facts.samples.size()) << " kept; " << age_text(*facts.age) << '\n';
    print_strongest(facts, style);
  }
  print_groups(facts, style);
}

void print_notes(const FeatureFacts& facts, const PageStyle& style) {
  if (facts.density_interval && facts.statistics.active > 0) {
    std::cout << '\n' << style.colors.faint(std::string("In brackets: ") + kIntervalNote + ".") << '\n';
  }
  if (style.colors.on() && !facts.strongest.empty()) {
    std::cout << style.colors.faint("Shaded: how active a feature was at a token; the full colour is its max.") << '\n';
  }
  if (facts.tokens.tokens.empty()) return;
  std::cout << style.colors.faint("The text: " + text_base_text(facts.tokens.text_tokens, facts.tokens.text_counted) +
                                  ". p: Fisher's exact test, one-sided, corrected (Holm) for every token of the text, "
                                  "not for looking at many features.")
            << '\n';
}

}  // namespace saetap::cli

#include "integrations/report/markdown_report.h"

#include <algorithm>
#include <ostream>

#include "integrations/analysis/activating_tokens.h"
#include "integrations/analysis/decoder_neighbors.h"
#include "integrations/analysis/excerpt.h"
#include "integrations/analysis/ranking.h"
#include "integrations/analysis/visible_text.h"
#include "integrations/report/markdown_text.h"
#include "plugin/number_text.h"

namespace saetap {
namespace {

constexpr std::size_t kNeighborsShown = 3;
constexpr std::size_t kTokensShown = 8;
constexpr std::size_t kTokensInContents = 3;

std::string escaped(const std::string& text) {
  return markdown_escaped(visible(text));
}

// What is read once and used by every part of the report.
struct Material {
  std::vector<FeatureStatistics> statistics;
  std::uint64_t eligible = 0;
  DecoderNeighbors neighbors;
};

struct Section {
  std::uint32_t feature = 0;
  std::vector<Sample> samples;
  std::vector<TokenCount> tokens;
};

void fact(std::ostream& out, const std::string& name, const std::string& text) {
  if (!text.empty()) out << "| " << name << " | " << text << " |\n";
}

void write_facts(std::ostream& out, const ReportRequest& request, const Material& material) {
  const RunFacts& run = request.store.run();
  const SiteCounts& counts = request.site.counts;
  const SiteSummary summary = summarize(material.statistics, material.eligible);
  out << "| run | |\n| --- | --- |\n";
  fact(out, "program", escaped(run.program));
  fact(out, "started",
       escaped(run.started) + ", saved " + escaped(run.saved) +
           (run.finished ? "" : "; the run did not finish in order"));
  fact(out, "site", escaped(request.site.site.name));
  fact(out, "found", escaped(request.site.site.description));
  fact(out, "tokens",
       count_text(counts.rows_seen) + " seen, " + percent_text(share_of(counts.rows_collected, counts.rows_seen)) +
           " collected");
  fact(out, "rows resolved",
       percent_text(share_of(counts.rows_resolved, counts.rows_collected)) + " brought back to their token, " +
           percent_text(share_of(counts.rows_excluded, counts.rows_collected)) + " excluded");
  fact(out, "read here", escaped(request.scope_text));
  fact(out, "features",
       count_text(summary.alive) + " of " + count_text(request.site.site.features) + " alive, " +
           count_text(summary.dead) + " dead");
  fact(out, "L0", activation_text(summary.mean_active) + " features active per token");
  fact(out, "density",
       "median " + percent_text(summary.density_median) + ", 80 % between " + percent_text(summary.density_p10) +
           " and " + percent_text(summary.density_p90));
  fact(out, "kept",
       "the " + count_text(run.kept_samples_per_feature) + " strongest samples per feature from " +
           activation_text(run.sample_activation_threshold) + " up");
  if (!redaction_text(run).empty()) fact(out, "redacted", redaction_text(run));
  fact(out, "versions", "saetap " + escaped(run.saetap_version) + ", LibTorch " + escaped(run.libtorch_version));
}

std::string tokens_text(const std::vector<TokenCount>& tokens, std::size_t top, const Tokenizer* tokenizer) {
  std::string text;
  for (std::size_t i = 0; i < std::min(top, tokens.size()); ++i) {
    if (!text.empty()) text += kTokenSeparator;
    text += markdown_bold(token_text(tokens[i].token, tokenizer));
    text.append(1, ' ').append(std::to_string(tokens[i].count));
  }
  return text;
}

std::string link_to(std::uint32_t feature) {
  const std::string number = std::to_string(feature);
  return "[" + number + "](#feature-" + number + ")";
}

void write_contents(std::ostream& out, const ReportRequest& request, const Material& material,
                    const std::vector<Section>& sections) {
  out << "\n## Features\n\n" << escaped(request.order) << ".\n\n";
  out << "| feature | density | max | commonest tokens |\n| ---: | ---: | ---: | --- |\n";
  for (const Section& section : sections) {
    const FeatureStatistics& statistics = material.statistics[section.feature];
    out << "| " << link_to(section.feature) << " | " << percent_text(statistics.density(material.eligible)) << " | "
        << activation_text(statistics.max) << " | " << tokens_text(section.tokens, kTokensInContents, request.tokenizer)
        << " |\n";
  }
}

void write_statistics(std::ostream& out, const ReportRequest& request, const Material& material,
                      const Section& section) {
  const FeatureStatistics& statistics = material.statistics[section.feature];
  out << "density " << percent_text(statistics.density(material.eligible)) << " · max "
      << activation_text(statistics.max) << " · mean " << activation_text(statistics.mean()) << " · std "
      << activation_text(statistics.standard_deviation()) << " · " << count_text(statistics.active) << " active tokens";
  const auto in_report = [&](std::uint32_t feature) {
    return std::find(request.features.begin(), request.features.end(), feature) != request.features.end();
  };
  const char* separator = " · decoder-nearest ";
  for (const Neighbor& neighbor : material.neighbors.nearest(section.feature, kNeighborsShown)) {
    out << separator << (in_report(neighbor.feature) ? link_to(neighbor.feature) : std::to_string(neighbor.feature))
        << " (" << activation_text(neighbor.cosine) << ")";
    separator = ", ";
  }
  out << "\n";
}

void write_sample(std::ostream& out, const Sample& sample, const Excerpt& excerpt) {
  out << activation_text(sample.activation) << " · ";
  if (excerpt.known) {
    if (!excerpt.from_start) out << "…";
    const std::size_t text = std::min(excerpt.before.find_first_not_of(' '), excerpt.before.size());
    out << markdown_escaped(excerpt.before.substr(text)) << markdown_bold(excerpt.token)
        << markdown_escaped(excerpt.after);
    if (!excerpt.to_end) out << "…";
  } else {
    out << "(token not known, row " << sample.position << ")";
  }
  out << " (step " << sample.step << ")\n";
}

void write_section(std::ostream& out, const ReportRequest& request, const Material& material, const Section& section) {
  out << "\n## Feature " << section.feature << "\n\n";
  write_statistics(out, request, material, section);
  if (section.samples.empty()) {
    out << "\nNo samples: "
        << (material.statistics[section.feature].active == 0 ? "never active here.\n"
                                                             : "never as strong as a sample has to be.\n");
    return;
  }
  if (!section.tokens.empty()) {
    out << "\nCommonest activating tokens of " << section.samples.size()
        << " samples: " << tokens_text(section.tokens, kTokensShown, request.tokenizer) << "\n";
  }
  out << "\n";
  const std::uint32_t context = request.store.run().sample_context_size;
  for (std::size_t i = 0; i < std::min(request.samples, section.samples.size()); ++i) {
    const Sample& sample = section.samples[i];
    out << i + 1 << ". ";
    write_sample(out, sample, read_excerpt(request.store, sample, context, context, request.tokenizer));
  }
}

}  // namespace

void write_markdown_report(std::ostream& out, const ReportRequest& request) {
  const int site = request.site.site.id;
  const Material material{
      .statistics = request.store.statistics(site, request.scope),
      .eligible = (request.scope == Scope::recent ? request.site.recent : request.site.all_time).eligible,
      .neighbors = DecoderNeighbors(request.store.decoder_directions(site), request.site.site.features)};
  std::vector<Section> sections;
  for (const std::uint32_t feature : request.features) {
    Section section{.feature = feature, .samples = request.store.samples(site, feature, request.scope), .tokens = {}};
    section.tokens = commonest_tokens(request.store, section.samples, kTokensShown);
    sections.push_back(std::move(section));
  }
  out << "# Features of " << escaped(request.site.site.name) << "\n\n";
  write_facts(out, request, material);
  write_contents(out, request, material, sections);
  for (std::size_t i = 0; i < sections.size(); ++i) {
    write_section(out, request, material, sections[i]);
    if (request.progress) request.progress(i + 1);
  }
}

}  // namespace saetap

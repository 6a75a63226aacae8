#include "integrations/report/site_report.h"

#include <utility>

#include "integrations/analysis/activating_tokens.h"
#include "integrations/analysis/visible_text.h"
#include "integrations/report/report_chapters.h"
#include "plugin/number_text.h"

namespace saetap {
namespace {

std::uint64_t suspicious_features(const ReportMaterial& material) {
  std::vector<bool> found(material.statistics.size());
  std::uint64_t count = 0;
  for (const SiteSuspicion& suspicion : material.suspicions) {
    for (const SuspiciousFeature& one : suspicion.found.features) {
      if (found[one.feature]) continue;
      found[one.feature] = true;
      ++count;
    }
  }
  return count;
}

Report report_of(const ReportRequest& request, const ReportMaterial& material) {
  Report report{.request = request, .material = material, .listed = {}, .marks = {}};
  report.listed.resize(material.statistics.size());
  for (const std::uint32_t feature : request.features) report.listed[feature] = true;
  for (const SiteSuspicion& suspicion : material.suspicions) {
    for (const SuspiciousFeature& one : suspicion.found.features) {
      if (report.listed[one.feature]) report.marks[one.feature].push_back({suspicion.kind, &one});
    }
  }
  return report;
}

void write_contents(DocumentWriter& writer, const Report& report) {
  const auto entry = [](const char* chapter, const std::string& text) {
    Line line{link_to(chapter, heading_id(chapter))};
    if (!text.empty()) line.push_back(plain(text));
    return line;
  };
  const ReportMaterial& material = report.material;
  writer.list({entry(kRunChapter, ""),
               entry(kOverviewChapter, ": " + count_text(report.request.features.size()) + ", with links to each"),
               entry(kFamiliesChapter, ": " + count_text(material.family_count)),
               entry(kSuspicionsChapter, ": " + count_text(suspicious_features(material)))},
              false);
}

}  // namespace

std::string feature_heading(std::uint32_t feature) {
  return "Feature " + std::to_string(feature);
}

Span feature_span(const Report& report, std::uint32_t feature) {
  const std::string number = std::to_string(feature);
  return report.listed[feature] ? link_to(number, heading_id(feature_heading(feature))) : plain(number);
}

bool is_told(const ReportMaterial& material, const EnrichedToken& token) {
  return material.rates.q(token.p) <= kDiscoveryRate;
}

Span token_span(const Report& report, const EnrichedToken& token) {
  std::string text = token_text(token.token, report.request.tokenizer);
  return is_told(report.material, token) ? strong(std::move(text)) : plain(std::move(text));
}

void write_report(DocumentWriter& writer, const ReportRequest& request, const ReportMaterial& material) {
  const Report report = report_of(request, material);
  const FactsReader reader(request.store, request.site, request.scope, request.tokenizer);
  writer.begin("Features of " + visible(request.site.site.name));
  write_contents(writer, report);
  write_run(writer, report);
  write_overview(writer, report);
  write_families(writer, report);
  write_suspicions(writer, report);
  std::size_t done = 0;
  for (const std::uint32_t feature : request.features) {
    write_feature(writer, report, reader.read(feature, wanted_of(request)));
    if (request.progress) request.progress(++done);
  }
  writer.end();
}

}  // namespace saetap

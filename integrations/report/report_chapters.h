// The chapters of a report, and the words that several of them need.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "integrations/report/document_writer.h"
#include "integrations/report/report_material.h"

namespace saetap {

inline constexpr const char* kRunChapter = "Run";
inline constexpr const char* kOverviewChapter = "Features at a glance";
inline constexpr const char* kFamiliesChapter = "Families of similar features";
inline constexpr const char* kSuspicionsChapter = "Suspicious features";

// A rule that found a feature.
struct Mark {
  SuspicionKind kind = SuspicionKind::dense;
  const SuspiciousFeature* found = nullptr;
};

// What all chapters are given.
struct Report {
  const ReportRequest& request;
  const ReportMaterial& material;
  std::vector<bool> listed;                          // [features]: those that have a section of their own
  std::map<std::uint32_t, std::vector<Mark>> marks;  // of these; in the order of the rules
};

void write_run(DocumentWriter& writer, const Report& report);
// A row for each feature of the report.
void write_overview(DocumentWriter& writer, const Report& report);
void write_families(DocumentWriter& writer, const Report& report);
void write_suspicions(DocumentWriter& writer, const Report& report);
void write_feature(DocumentWriter& writer, const Report& report, const FeatureFacts& facts);

// Whether chance does not explain it, among all features of the report.
[[nodiscard]] bool is_told(const ReportMaterial& material, const EnrichedToken& token);
// Its text, strong if it is told.
[[nodiscard]] Span token_span(const Report& report, const EnrichedToken& token);
// The number of a feature, linked to its section if it has one.
[[nodiscard]] Span feature_span(const Report& report, std::uint32_t feature);
[[nodiscard]] std::string feature_heading(std::uint32_t feature);

}  // namespace saetap

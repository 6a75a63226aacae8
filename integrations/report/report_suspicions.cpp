// The chapter about features that something may be wrong with.
#include <algorithm>

#include "integrations/report/report_chapters.h"
#include "integrations/report/suspicion_text.h"
#include "plugin/number_text.h"

namespace saetap {
namespace {

constexpr std::size_t kShown = 20;  // of each rule

std::string found_text(const SiteSuspicion& suspicion) {
  if (!suspicion.not_judged.empty()) return " Not judged: " + suspicion.not_judged + ".";
  const std::size_t found = suspicion.found.features.size();
  std::string text = " Found: " + count_text(found) + " of " + count_text(suspicion.found.judged) + " features judged";
  if (found > kShown) text += "; the " + count_text(kShown) + " that stand out most are listed";
  return text + ".";
}

void write_rule(DocumentWriter& writer, const Report& report, const SiteSuspicion& suspicion) {
  const std::vector<SuspiciousFeature>& all = suspicion.found.features;
  writer.heading(3, title_of(suspicion.kind));
  writer.paragraph({plain(rule_of(suspicion.kind) + found_text(suspicion))});
  if (all.empty()) return;
  TableOf table{.caption = title_of(suspicion.kind), .columns = {{"feature", true}, {"found"}}, .rows = {}};
  for (std::size_t i = 0; i < std::min(all.size(), kShown); ++i) {
    table.rows.push_back({{feature_span(report, all[i].feature)},
                          {plain(finding_text(suspicion.kind, all[i], report.request.tokenizer))}});
  }
  writer.table(table);
}

}  // namespace

void write_suspicions(DocumentWriter& writer, const Report& report) {
  TableOf table{.caption = "What was looked for", .columns = {{"rule"}, {"found", true}, {"judged", true}}, .rows = {}};
  for (const SiteSuspicion& suspicion : report.material.suspicions) {
    const char* const title = title_of(suspicion.kind);
    const bool judged = suspicion.not_judged.empty();
    table.rows.push_back({{link_to(title, heading_id(title))},
                          {plain(judged ? count_text(suspicion.found.features.size()) : "-")},
                          {plain(count_text(suspicion.found.judged))}});
  }
  writer.heading(2, kSuspicionsChapter);
  writer.paragraph(
      {plain("Being listed is a reason to look, not a verdict. Judged are the features that a rule could "
             "say something about. Every p is corrected for all that its rule tested (Benjamini and "
             "Hochberg) and at most " +
             bound_text(kDiscoveryRate) + "; tokens of one text are not independent, so the true ones are larger.")});
  writer.table(table);
  for (const SiteSuspicion& suspicion : report.material.suspicions) write_rule(writer, report, suspicion);
}

}  // namespace saetap

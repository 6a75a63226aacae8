#include "integrations/report/picture_words.h"

#include "plugin/number_text.h"

namespace saetap {
namespace {

std::string span_text(const ScopeFacts& facts) {
  return std::to_string(facts.first_step) + " to " + std::to_string(facts.last_step);
}

std::string text_of(const PictureRequest& request, Scope scope) {
  const ScopeFacts& all = request.site.all_time;
  const ScopeFacts& facts = scope == Scope::recent ? request.site.recent : all;
  std::string text = "Site " + request.site.site.name + ", steps " + span_text(facts);
  const bool whole = facts.eligible == all.eligible;
  if (!whole) text += " of " + span_text(all);
  text += ": " + counted(facts.eligible, "token");
  text += whole ? ", all that were collected"
                : ", " + percent_text(share_of(facts.eligible, all.eligible)) + " of those collected";
  const std::uint64_t lost = request.store.run().lost_before;
  if (whole && lost > 0) text += "; what was kept of the steps before " + std::to_string(lost) + " is lost";
  return text + ".";
}

}  // namespace

std::string source_text(const PictureRequest& request) {
  return text_of(request, request.scope);
}

std::string whole_run_text(const PictureRequest& request) {
  return text_of(request, Scope::all_time);
}

void need_histograms(const PictureRequest& request) {
  if (!request.store.run().imported) return;
  throw NothingToDraw("no histogram to draw: an imported store has none, as a samples.json has none");
}

std::string counted(std::uint64_t count, const std::string& noun) {
  return count_text(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace saetap

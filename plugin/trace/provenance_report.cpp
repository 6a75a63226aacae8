// What people are told of where a reader's rows come from.
#include "plugin/trace/provenance.h"

namespace saetap {

std::string_view name_of(TokenSourceKind source) {
  return kTokenSourceNames[static_cast<std::size_t>(source)];
}

TraceReport Provenance::report(int reader) const {
  const auto found = readers_.find(reader);
  if (found == readers_.end()) return {};
  auto report = found->second.report;
  if (report.source == TokenSourceKind::none) report.why = why_nothing(found->second.width);
  return report;
}

std::string Provenance::why_nothing(std::size_t width) const {
  if (!options_.use_told && !options_.use_in_step && !options_.use_exact) return "tokens.source is none";
  if (!options_.use_exact) {
    return options_.use_told ? "the program gave none that fit" : "no model's call before had as many tokens";
  }
  if (width == 0) return "what the encoder was given is not known, or is not one row for each row of features";
  std::string names, widths;
  for (const auto& [key, stream] : streams_) {
    auto& list = key.second == width ? names : widths;
    const auto item = key.second == width ? key.first : std::to_string(key.second);
    if (list.find(item) == std::string::npos) list += (list.empty() ? "" : ", ") + item;
  }
  if (!names.empty()) {
    // Narrower ones have too few pairs of dimensions to compare: row_signature.h.
    constexpr std::size_t kNarrow = 40;
    const std::string changed =
        width < kNarrow ? "; rows of width " + std::to_string(width) + " are found bit for bit or not at all"
                        : ", nor made from them by rounding, scaling, centring or normalising";
    return "they are not rows of " + names + (options_.use_robust ? changed : "");
  }
  if (!widths.empty()) {
    return "no rows of width " + std::to_string(width) + " were returned for tokens, only of " + widths;
  }
  return "no language model that is listened to was given tokens [batch, length] and returned rows for them";
}

}  // namespace saetap

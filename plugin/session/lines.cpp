#include "plugin/session/lines.h"

#include <dlfcn.h>

#include <cstdio>
#include <filesystem>

#include "plugin/number_text.h"

namespace saetap {

namespace {

std::string format(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

// 1,020,000 -> "1.02 M"
std::string rounded(std::uint64_t number) {
  if (number >= 1'000'000'000) return format("%.2f G", static_cast<double>(number) / 1e9);
  if (number >= 1'000'000) return format("%.2f M", static_cast<double>(number) / 1e6);
  return count_text(number);
}

std::string share(std::uint64_t part, std::uint64_t whole, const char* pattern) {
  return whole == 0 ? "none" : format(pattern, 100.0 * static_cast<double>(part) / static_cast<double>(whole)) + " %";
}

std::uint64_t alive_features(const SiteCollection& collection) {
  const auto& active = collection.ever_active;
  return static_cast<std::uint64_t>(std::count(active.begin(), active.end(), std::uint8_t{1}));
}

}  // namespace

std::string site_summary(const Site& site, const SiteCounts& counts, const SampleCollector& collector,
                         const SessionFacts& facts) {
  const auto found = collector.sites().find(site.id);
  const auto alive = found == collector.sites().end() ? 0 : alive_features(found->second);
  return site.name + ": " + rounded(counts.rows_seen) + " tokens, " +
         share(counts.rows_collected, counts.rows_seen, "%.1f") + " seen, " +
         share(counts.rows_resolved, counts.rows_collected, "%.2f") + " of rows resolved · " + count_text(alive) +
         " of " + count_text(static_cast<std::uint64_t>(site.features)) + " features alive · overhead " +
         format("%.1f", 100.0 * facts.seconds_inside / std::max(facts.seconds_total, 1e-9)) + " %";
}

std::string source_line(const TraceReport& report) {
  if (report.source == TokenSourceKind::none) return "";
  return "by " + std::string(name_of(report.source)) + (report.stream.empty() ? "" : " from " + report.stream) + ": " +
         report.why;
}

std::string tracing_line(const SiteCounts& counts, const TraceReport& report) {
  if (counts.rows_resolved + counts.rows_ambiguous == 0) {
    return "none of " + rounded(counts.rows_collected) + " rows has a token: " + report.why;
  }
  const auto unresolved = counts.rows_collected - counts.rows_resolved - counts.rows_ambiguous;
  return share(counts.rows_resolved, counts.rows_collected, "%.2f") + " of rows resolved, " +
         share(counts.rows_ambiguous, counts.rows_collected, "%.2f") + " ambiguous, " +
         share(unresolved, counts.rows_collected, "%.2f") + " not found; " + std::string(name_of(report.source)) +
         (report.stream.empty() ? "" : " from " + report.stream);
}

std::string token_file_line(std::uint64_t rows, const std::string& path) {
  return "of " + count_text(rows) + " rows are known from " + path;
}

std::string tracing_warning(const SiteCounts& counts, std::int64_t buffer_rows) {
  const auto share_resolved =
      static_cast<double>(counts.rows_resolved) / std::max<double>(1, static_cast<double>(counts.rows_collected));
  if (counts.rows_resolved == 0 || share_resolved >= 0.99) return "";
  return "only " + format("%.1f", 100 * share_resolved) +
         " % of the rows could be brought back to their token: the others count and are kept without one. "
         "tokens.buffer_rows is " +
         count_text(static_cast<std::uint64_t>(buffer_rows)) +
         "; it has to be at least what the trainer's buffer holds";
}

std::string waits_line(const QueueWaits& collector, std::uint64_t device) {
  std::string line;
  if (collector.count > 0) {
    line = "training waited " + std::to_string(collector.count) + " times, " + format("%.1f", collector.seconds) +
           " s in all, for saetap to take in what was found";
  }
  if (device > 0) {
    line += (line.empty() ? "training waited " : ", and ") + std::to_string(device) + " times for its accelerator";
  }
  return line;
}

std::string saved_line(const std::string& store_path) {
  const std::filesystem::path path(store_path);
  std::error_code unreadable;
  const auto bytes = std::filesystem::file_size(path, unreadable);
  // As the user would type it from where the program was started.
  const auto near = std::filesystem::proximate(path, unreadable);
  const auto& shown = near.native().size() < path.native().size() ? near : path;
  return "wrote " + shown.string() + " (" + format("%.1f MB", static_cast<double>(bytes) / 1e6) +
         ").  Next: saetap features " + (shown.filename() == "samples.saetap" ? shown.parent_path() : shown).string();
}

std::string nothing_found(const SessionFacts& facts) {
  if (facts.methods_met == 0) {
    const bool in_python = dlsym(RTLD_DEFAULT, "Py_IsInitialized") != nullptr;
    return std::string("nothing recorded: no TorchScript module was called") +
           (in_python ? ", and no eager one of those that saetap.attach was given" : "");
  }
  return "nothing recorded: no SAE or transcoder among " + count_text(facts.methods_met) +
         " TorchScript methods called" +
         (facts.uncertain.empty() ? "" : "; uncertain, left alone: " + facts.uncertain.front());
}

}  // namespace saetap

// The lines that a session says to people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plugin/collect/collector_thread.h"
#include "plugin/collect/sample_collector.h"
#include "plugin/trace/provenance.h"

namespace saetap {

// What a session has met and done so far.
struct SessionFacts {
  std::uint64_t methods_met = 0;
  std::vector<std::string> uncertain;  // what might have been a site, one line each
  double seconds_inside = 0;           // spent in taps
  double seconds_total = 0;            // from the first tap to the latest
};

// "1.02 M tokens, 100.0 % seen, 99.98 % of rows resolved · 4,071 of 4,096 features alive · overhead 0.6 %"
[[nodiscard]] std::string site_summary(const Site& site, const SiteCounts& counts, const SampleCollector& collector,
                                       const SessionFacts& facts);
// "by fingerprint from MiniLM › forward output 0: 100.0 % of a call's rows were met …"; empty where there is no source.
[[nodiscard]] std::string source_line(const TraceReport& report);
// "99.98 % of 1.02 M rows resolved, 0.01 % ambiguous, 0.01 % not found; …"
[[nodiscard]] std::string tracing_line(const SiteCounts& counts, const TraceReport& report);
// "of 1,000,000 rows are known from rows.saetap-index"
[[nodiscard]] std::string token_file_line(std::uint64_t rows, const std::string& path);
// Said where part of the rows could be traced and part could not: most often the trainer's buffer holds more rows than
// we remember. "" if there is nothing to say.
[[nodiscard]] std::string tracing_warning(const SiteCounts& counts, std::int64_t buffer_rows);
// "training waited 3 times, 0.8 s in all, until there was room for what is kept"; "" if it never did.
[[nodiscard]] std::string waits_line(const QueueWaits& collector, std::uint64_t device);
// "wrote activation_samples/samples.saetap (11 MB).  Next: saetap features activation_samples"
[[nodiscard]] std::string saved_line(const std::string& store_path);
// Why there is nothing to show.
[[nodiscard]] std::string nothing_found(const SessionFacts& facts);

}  // namespace saetap

// The lines that a session says to people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plugin/collect/sample_collector.h"

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
// Said where part of the rows could be traced and part could not: most often the trainer's buffer holds more rows than
// we remember. "" if there is nothing to say.
[[nodiscard]] std::string tracing_warning(const SiteCounts& counts, std::int64_t buffer_rows);
// "wrote activation_samples/samples.saetap (11 MB).  Next: saetap features activation_samples"
[[nodiscard]] std::string saved_line(const std::string& store_path);
// Why there is nothing to show.
[[nodiscard]] std::string nothing_found(const SessionFacts& facts);

}  // namespace saetap

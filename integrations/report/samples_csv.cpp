#include "integrations/report/samples_csv.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <ostream>

#include "integrations/analysis/excerpt.h"
#include "integrations/analysis/visible_text.h"
#include "integrations/report/csv_field.h"

namespace saetap {
namespace {

constexpr const char* kColumns =
    "site,feature,active_tokens,tokens_counted,rank,activation,step,sequence,position,token_id,before,token,after";
constexpr const char* kLineEnd = "\r\n";

// The shortest that reads back as the same float.
std::string number(float value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

std::string hexadecimal(SequenceId sequence) {
  std::array<char, 20> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(sequence));
  return text.data();
}

// The cells of what is known of the text.
std::string text_cells(const Excerpt& excerpt) {
  if (!excerpt.known) return ",,,";
  return std::to_string(excerpt.ids[excerpt.activating]) + "," + csv_field(excerpt.before) + "," +
         csv_field(excerpt.token) + "," + csv_field(excerpt.after);
}

struct SampleLines {
  std::string text;
  std::size_t samples = 0;
};

SampleLines lines_of(const ExportRequest& request, const StoredSite& site, std::uint32_t feature,
                     std::uint64_t active) {
  const StoreReader::Together together(request.store);
  const SamplesJsonOptions& listed = request.listed;
  const ScopeFacts& facts = listed.scope == Scope::recent ? site.recent : site.all_time;
  const std::uint32_t context = request.store.run().sample_context_size;
  const std::string begin = csv_field(visible(site.site.name)) + "," + std::to_string(feature) + "," +
                            std::to_string(active) + "," + std::to_string(facts.eligible) + ",";
  SampleLines lines;
  for (const Sample& sample : request.store.samples(site.site.id, feature, listed.scope)) {
    if (lines.samples == static_cast<std::size_t>(listed.samples_per_feature)) break;
    const Excerpt excerpt = read_excerpt(request.store, sample, context, context, request.tokenizer);
    lines.text += begin + std::to_string(++lines.samples) + "," + number(sample.activation) + "," +
                  std::to_string(sample.step) + "," + hexadecimal(sample.sequence) + "," +
                  std::to_string(sample.position) + "," + text_cells(excerpt) + kLineEnd;
  }
  return lines;
}

}  // namespace

void write_samples_csv(std::ostream& out, const ExportRequest& request) {
  out << kColumns << kLineEnd;
  for (const StoredSite* site : listed_sites(request.store, request.listed)) {
    const auto statistics = request.store.statistics(site->site.id, request.listed.scope);
    for (const std::uint32_t feature : listed_features(statistics, request.listed)) {
      const SampleLines lines = lines_of(request, *site, feature, statistics[feature].active);
      out << lines.text;
      if (request.listed.progress) request.listed.progress(lines.samples);
    }
  }
}

}  // namespace saetap

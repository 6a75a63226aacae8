#include "plugin/store/samples_json_import.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include "plugin/store/imported_statistics.h"
#include "plugin/store/imported_text.h"
#include "plugin/store/part_rows.h"
#include "plugin/store/samples_json_values.h"
#include "plugin/store/store_files.h"
#include "plugin/store/store_tables.h"
#include "plugin/store/unfinished_store.h"

namespace saetap {
namespace {

using Json = nlohmann::json;

// Calls `take` with each feature and the number of its site, and gives back the file without them. They are dropped as
// they are read: a file may be larger than memory.
Json parse(const std::string& path, const std::function<void(std::size_t site, const Json& feature)>& take) {
  std::error_code unknown;
  const auto status = std::filesystem::status(path, unknown);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw StoreError(path + ": cannot be read (not a file)");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) throw StoreError(path + ": cannot be read (" + std::strerror(errno) + ")");
  constexpr int kKey = 1, kSite = 2, kSiteKey = 3, kFeature = 4;  // levels
  bool in_sites = false, in_features = false;
  std::size_t site = 0;
  using Event = Json::parse_event_t;
  const auto callback = [&](int depth, Event event, Json& parsed) {
    if (event == Event::key && depth == kKey) in_sites = parsed == "sites";
    if (event == Event::key && depth == kSiteKey) in_features = in_sites && parsed == "top_features";
    if (event == Event::object_end && depth == kSite && in_sites) ++site;
    if (event != Event::object_end || depth != kFeature || !in_features) return true;
    take(site, parsed);
    return false;
  };
  Json json = Json::parse(file, callback, /*allow_exceptions=*/false);
  if (json.is_discarded()) throw StoreError(path + ": not valid JSON");
  return json;
}

// What no store may say.
void check_head(const SamplesJson& head) {
  const bool sound = head.sample_context_size <= kMostContext && head.max_samples_per_feature <= kMostSamples &&
                     head.sample_activation_threshold >= 0 && head.top_features_to_save >= 0 &&
                     head.samples_per_feature_to_save >= 0;
  if (!sound) throw std::invalid_argument("impossible keys in config");
}

void check_site(const JsonSite& site) {
  if (site.features < 0 || site.features > kMostFeatures)
    throw std::invalid_argument("an impossible number of features");
  if (site.tokens_collected < site.counted.eligible) throw std::invalid_argument("more tokens counted than collected");
  if (site.counted.last_step < site.counted.first_step) throw std::invalid_argument("steps that end before they begin");
}

SamplesJson read_head(const std::string& path) {
  return of_samples_json(path, [&] {
    SamplesJson head = samples_json_head_from(parse(path, [](std::size_t, const Json&) {}));
    check_head(head);
    for (const JsonSite& site : head.sites) check_site(site);
    return head;
  });
}

RunFacts facts_of(const SamplesJson& head, const ImportOptions& options) {
  RunFacts run;
  run.run_id = "imported";
  run.checkpoint = 1;
  run.saetap_version = SAETAP_VERSION;
  run.started = head.started;
  run.saved = head.saved;
  run.tokenizer = options.tokenizer.empty() ? head.tokenizer : options.tokenizer;
  run.redact = "none";
  run.max_samples_per_feature = run.kept_samples_per_feature = head.max_samples_per_feature;
  run.sample_context_size = head.sample_context_size;
  run.sample_activation_threshold = head.sample_activation_threshold;
  run.sample_collection_freq = head.sample_collection_freq;
  run.sample_window_steps = "0";
  run.imported = ImportedFrom{head.scope, head.top_features_to_save, head.samples_per_feature_to_save};
  return run;
}

// What the file tells of is the open part. Of the rest of the run, in a file of its recent steps, it tells the number
// of tokens alone: a past in which no feature has a row.
void write_site_rows(Database& store, int id, const JsonSite& from) {
  Site site;
  site.id = id;
  site.name = from.name;
  site.module_type = from.module_type;
  site.method = from.method;
  site.features = from.features;
  write_site(store, site, {}, {"none", ""});
  const ScopeFacts& counted = from.counted;
  const std::uint64_t rest = from.tokens_collected - counted.eligible;
  if (rest > 0) write_part_row(store, id, PartKind::past, {{0, 0, counted.first_step}, 0, counted.first_step, rest});
  const Window window{rest > 0 ? 1u : 0u, counted.first_step, counted.last_step + 1};
  write_part_row(store, id, PartKind::open, {window, counted.first_step, counted.last_step, counted.eligible});
}

std::vector<ContextActivation> around(const JsonSample& sample) {
  std::vector<ContextActivation> list;
  for (std::size_t i = 0; i < sample.context_activations.size(); ++i) {
    const auto offset = static_cast<std::int32_t>(i) - static_cast<std::int32_t>(sample.activating_index);
    if (offset != 0 && sample.context_activations[i] != 0) list.push_back({offset, sample.context_activations[i]});
  }
  return list;
}

// Writes the features of all sites, in whatever order they come.
class ImportedFeatures {
 public:
  ImportedFeatures(Database& store, const SamplesJson& head, const ImportOptions& options)
      : store_(store), head_(head), options_(options), text_(store, head.sample_context_size) {}

  void add(std::size_t site, const JsonFeature& feature) {
    check(site, feature);
    FeatureRows rows{statistics_of(feature), {}, {}, {}, {}};
    for (const JsonSample& sample : feature.samples) {
      rows.samples.push_back(sample.sample);
      if (!sample.context_activations.empty()) rows.samples.back().context = contexts_.add(around(sample));
      text_.add(sample);
      if (!sample.context_token_ids.empty() && !sample.text.empty()) note_text(sample.token_id, sample.text);
    }
    FeatureWriter(store_, static_cast<int>(site), PartKind::open, contexts_).write(feature.feature, rows);
    for (const Sample& sample : rows.samples) contexts_.release(sample.context);
    if (options_.progress) options_.progress(++features_);
  }

  void write_token_texts() {
    Statement insert = store_.prepare("INSERT INTO token VALUES(?, ?)");
    for (const auto& [id, text] : texts_) {
      insert.bind(0, std::int64_t{id}).bind_blob(1, std::as_bytes(std::span(text))).run();
    }
  }

 private:
  void check(std::size_t site, const JsonFeature& feature) {
    if (feature.feature >= head_.sites.at(site).features) {
      throw std::invalid_argument("a feature the site does not have");
    }
    if (!met_.emplace(site, feature.feature).second) throw std::invalid_argument("a feature twice");
    check_figures(site, feature);
    if (feature.samples.size() > head_.max_samples_per_feature) {
      throw std::invalid_argument("more samples than max_samples_per_feature");
    }
    std::set<std::pair<SequenceId, std::uint32_t>> places;
    for (std::size_t i = 0; i < feature.samples.size(); ++i) {
      const Sample& sample = feature.samples[i].sample;
      if (!places.emplace(sample.sequence, sample.position).second) throw std::invalid_argument("a place twice");
      const bool in_order = i == 0 || stronger(feature.samples[i - 1].sample, sample);
      if (!in_order) throw std::invalid_argument("samples that are not in order, strongest first");
    }
  }

  // What else the file says of a feature bounds its figures.
  void check_figures(std::size_t site, const JsonFeature& feature) const {
    if (feature.active_count > head_.sites.at(site).counted.eligible) {
      throw std::invalid_argument("a feature active on more tokens than were counted");
    }
    if (feature.samples.empty()) return;
    const float strongest = feature.samples.front().sample.activation;
    if (std::abs(static_cast<float>(feature.max)) < std::abs(strongest)) {
      throw std::invalid_argument("a max below a feature's strongest sample");
    }
  }

  void note_text(std::int32_t id, const std::string& text) {
    if (!options_.known_text) {
      texts_.emplace(id, text);
    } else if (!met_tokens_.contains(id)) {
      met_tokens_.insert(id);
      if (options_.known_text(id) != text) texts_.emplace(id, text);
    }
  }

  Database& store_;
  const SamplesJson& head_;
  const ImportOptions& options_;
  ImportedText text_;
  ContextPool contexts_;
  std::set<std::pair<std::size_t, std::uint32_t>> met_;  // sites and features
  std::set<std::int32_t> met_tokens_;
  std::map<std::int32_t, std::string> texts_;
  std::uint64_t features_ = 0;
};

}  // namespace

std::string tokenizer_of_samples_json(const std::string& path) {
  return read_head(path).tokenizer;
}

void import_samples_json(const std::string& path, const std::string& output, const ImportOptions& options) {
  const SamplesJson head = read_head(path);
  UnfinishedStore unfinished(output);
  {
    Database store = unfinished.open();
    Transaction transaction(store);
    create_tables(store);
    write_run_facts(store, facts_of(head, options));
    for (std::size_t i = 0; i < head.sites.size(); ++i) write_site_rows(store, static_cast<int>(i), head.sites[i]);
    ImportedFeatures features(store, head, options);
    of_samples_json(path, [&] {
      (void)parse(path, [&](std::size_t site, const Json& json) { features.add(site, json_feature_from(json)); });
    });
    features.write_token_texts();
    transaction.commit();
  }
  unfinished.finish();
}

}  // namespace saetap

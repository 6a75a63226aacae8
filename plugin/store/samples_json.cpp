#include "plugin/store/samples_json.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>

namespace saetap {
namespace {

using Json = nlohmann::ordered_json;

double rank_value(const FeatureStatistics& statistics, RankBy by) {
  switch (by) {
    case RankBy::max_activation:
      return statistics.max;
    case RankBy::mean:
      return statistics.mean();
    case RankBy::density:  // one denominator for all features of a site: the order is that of the counts
    case RankBy::count:
      return static_cast<double>(statistics.active);
  }
  return 0;
}

Json sample_json(const StoreReader& store, const Sample& sample,
                 const std::optional<std::vector<ContextActivation>>& around, const DecodeTokens& decode) {
  const std::uint32_t size = store.run().sample_context_size;
  const Context context = store.context(sample, size, size);
  Json json = {{"activation", sample.activation}, {"token_id", nullptr},     {"text", nullptr},
               {"context_token_ids", nullptr},    {"context_text", nullptr}, {"activating_index", nullptr},
               {"context_activations", nullptr}};
  if (!context.tokens.empty()) {
    const std::span<const std::int32_t> tokens = context.tokens;
    json["token_id"] = tokens[context.activating];
    json["context_token_ids"] = context.tokens;
    json["activating_index"] = context.activating;
    if (around) {
      json["context_activations"] = Json::array();
      for (const auto activation : activations_along(sample, around, size, tokens.size(), context.activating)) {
        json["context_activations"].push_back(activation.value_or(0));
      }
    }
    if (decode) {
      json["text"] = decode(tokens.subspan(context.activating, 1));
      json["context_text"] = decode(tokens);
    }
  }
  json["sequence"] = std::to_string(sample.sequence);  // as text: 64 bits do not fit the numbers of many JSON readers
  json["position"] = sample.position;
  json["step"] = sample.step;
  return json;
}

Json statistics_json(const FeatureStatistics& statistics, std::uint64_t eligible) {
  return {{"active_count", statistics.active},
          {"density", statistics.density(eligible)},
          {"max", statistics.max},
          {"mean", statistics.mean()},
          {"std", statistics.standard_deviation()}};
}

const ScopeFacts& facts_of(const StoredSite& site, Scope scope) {
  return scope == Scope::recent ? site.recent : site.all_time;
}

// With an empty list of features.
Json site_json(const StoredSite& stored_site, Scope scope) {
  const Site& site = stored_site.site;
  const ScopeFacts& facts = facts_of(stored_site, scope);
  return {{"name", site.name},
          {"module_type", site.module_type},
          {"method", site.method},
          {"features", site.features},
          {"first_step", facts.first_step},
          {"last_step", facts.last_step},
          {"tokens_counted", facts.eligible},
          {"tokens_collected", stored_site.all_time.eligible},
          {"top_features", Json::array()}};
}

// With an empty list of sites.
Json store_json(const StoreReader& store, const SamplesJsonOptions& options) {
  const RunFacts& run = store.run();
  return {{"format", "saetap samples"},
          {"format_version", 1},
          {"scope", options.scope == Scope::recent ? "recent" : "all_time"},
          {"started", run.started},
          {"saved", run.saved},
          {"tokenizer", run.tokenizer},
          {"config",
           {{"max_samples_per_feature", run.max_samples_per_feature},
            {"sample_context_size", run.sample_context_size},
            {"sample_activation_threshold", run.sample_activation_threshold},
            {"sample_collection_freq", run.sample_collection_freq},
            {"top_features_to_save", options.top_features},
            {"samples_per_feature_to_save", options.samples_per_feature}}},
          {"sites", Json::array()}};
}

// As it stands `depth` levels deep in a file with one space for each level. A token can be part of a character: what is
// not valid UTF-8 is replaced rather than refused.
std::string dumped(const Json& json, std::size_t depth) {
  std::string text;
  for (const char c : json.dump(1, ' ', false, Json::error_handler_t::replace)) {
    text += c;
    if (c == '\n') text.append(depth, ' ');  // in a string it would be "\\n"
  }
  return text;
}

using Write = std::function<void(std::string_view)>;

// Writes an object whose last value is an empty list, `depth` levels deep, with the items that `write_items` writes
// through what it is given.
void write_with_items(const Write& write, const Json& object, std::size_t depth,
                      const std::function<void(const std::function<void()>& begin_item)>& write_items) {
  const std::string text = dumped(object, depth);
  const std::size_t bracket = text.rfind(']');
  write(std::string_view(text).substr(0, bracket));
  bool any = false;
  write_items([&] {
    write((any ? ",\n" : "\n") + std::string(depth + 2, ' '));
    any = true;
  });
  if (any) write("\n" + std::string(depth + 1, ' '));
  write(std::string_view(text).substr(bracket));
}

void write_site(const StoreReader& store, const StoredSite& site, const Write& write,
                const SamplesJsonOptions& options) {
  constexpr std::size_t kSite = 2, kFeature = 4;  // levels
  const std::vector<FeatureStatistics> statistics = store.statistics(site.site.id, options.scope);
  write_with_items(write, site_json(site, options.scope), kSite, [&](const auto& begin_item) {
    for (const std::uint32_t feature : listed_features(statistics, options)) {
      const Json json = feature_json(store, site, feature, statistics[feature], options);
      begin_item();
      write(dumped(json, kFeature));
      if (options.progress) options.progress(json["samples"].size());
    }
  });
}

// A file that is there whole or not at all.
class ReplacingFile {
 public:
  explicit ReplacingFile(const std::string& path) : path_(path), temporary_(path + ".XXXXXX") {
    descriptor_ = ::mkostemp(temporary_.data(), O_CLOEXEC);  // readable by its owner only, as the store is
    if (descriptor_ < 0) fail();
    (void)::fchmod(descriptor_, 0600);  // whatever the umask
  }
  ReplacingFile(const ReplacingFile&) = delete;
  ReplacingFile& operator=(const ReplacingFile&) = delete;
  ~ReplacingFile() {
    if (descriptor_ < 0) return;
    ::close(descriptor_);
    ::unlink(temporary_.c_str());
  }

  void write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t written = ::write(descriptor_, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail();
      text.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  void commit() {
    if (::fsync(descriptor_) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) fail();
    ::close(descriptor_);
    descriptor_ = -1;
  }

 private:
  [[noreturn]] void fail() const { throw StoreError(path_ + ": cannot be written (" + std::strerror(errno) + ")"); }

  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
};

}  // namespace

std::vector<const StoredSite*> listed_sites(const StoreReader& store, const SamplesJsonOptions& options) {
  std::vector<const StoredSite*> sites;
  for (const StoredSite& site : store.sites()) {
    const bool listed = options.sites.empty() || std::ranges::find(options.sites, site.site.id) != options.sites.end();
    if (listed) sites.push_back(&site);
  }
  return sites;
}

std::vector<std::uint32_t> listed_features(std::span<const FeatureStatistics> statistics,
                                           const SamplesJsonOptions& options) {
  if (!options.features.empty()) return options.features;
  std::vector<std::uint32_t> order(statistics.size());
  std::iota(order.begin(), order.end(), 0u);
  std::erase_if(order, [&](std::uint32_t feature) { return statistics[feature].active == 0; });
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return rank_value(statistics[a], options.rank_by) > rank_value(statistics[b], options.rank_by);
  });
  const auto most = static_cast<std::size_t>(options.top_features);
  if (order.size() > most) order.resize(most);
  return order;
}

nlohmann::ordered_json feature_json(const StoreReader& store, const StoredSite& site, std::uint32_t feature,
                                    const FeatureStatistics& statistics, const SamplesJsonOptions& options) {
  const StoreReader::Together together(store);
  const int id = site.site.id;
  std::vector<Sample> samples = store.samples(id, feature, options.scope);
  samples.resize(std::min(samples.size(), static_cast<std::size_t>(options.samples_per_feature)));
  Json kept = Json::array();
  const auto around = store.context_activations(id, feature, options.scope, samples);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    kept.push_back(sample_json(store, samples[i], around[i], options.decode));
  }
  return {{"feature", feature},
          {"statistics", statistics_json(statistics, facts_of(site, options.scope).eligible)},
          {"samples", std::move(kept)}};
}

void write_samples_json(const StoreReader& store, const std::function<void(std::string_view)>& write,
                        const SamplesJsonOptions& options) {
  constexpr std::size_t kStore = 0;  // levels
  write_with_items(write, store_json(store, options), kStore, [&](const auto& begin_item) {
    for (const StoredSite* site : listed_sites(store, options)) {
      begin_item();
      write_site(store, *site, write, options);
    }
  });
  write("\n");
}

void write_samples_json(const StoreReader& store, const std::string& path, const SamplesJsonOptions& options) {
  ReplacingFile file(path);
  write_samples_json(
      store, [&](std::string_view text) { file.write(text); }, options);
  file.commit();
}

}  // namespace saetap

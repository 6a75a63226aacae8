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

std::vector<std::uint32_t> top_features(const std::vector<FeatureStatistics>& statistics, RankBy by,
                                        std::int64_t most) {
  std::vector<std::uint32_t> order(statistics.size());
  std::iota(order.begin(), order.end(), 0u);
  std::erase_if(order, [&](std::uint32_t feature) { return statistics[feature].active == 0; });
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return rank_value(statistics[a], by) > rank_value(statistics[b], by);
  });
  if (order.size() > static_cast<std::size_t>(most)) order.resize(static_cast<std::size_t>(most));
  return order;
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

Json site_json(const StoreReader& store, const StoredSite& stored_site, const SamplesJsonOptions& options) {
  const Site& site = stored_site.site;
  const ScopeFacts& facts = options.scope == Scope::recent ? stored_site.recent : stored_site.all_time;
  const std::vector<FeatureStatistics> statistics = store.statistics(site.id, options.scope);
  Json features = Json::array();
  for (const std::uint32_t feature : top_features(statistics, options.rank_by, options.top_features)) {
    std::vector<Sample> samples = store.samples(site.id, feature, options.scope);
    samples.resize(std::min(samples.size(), static_cast<std::size_t>(options.samples_per_feature)));
    Json kept = Json::array();
    const auto around = store.context_activations(site.id, feature, options.scope, samples);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      kept.push_back(sample_json(store, samples[i], around[i], options.decode));
    }
    features.push_back({{"feature", feature},
                        {"statistics", statistics_json(statistics[feature], facts.eligible)},
                        {"samples", std::move(kept)}});
  }
  return {{"name", site.name},
          {"module_type", site.module_type},
          {"method", site.method},
          {"features", site.features},
          {"first_step", facts.first_step},
          {"last_step", facts.last_step},
          {"tokens_counted", facts.eligible},
          {"tokens_collected", stored_site.all_time.eligible},
          {"top_features", std::move(features)}};
}

Json store_json(const StoreReader& store, const SamplesJsonOptions& options) {
  const RunFacts& run = store.run();
  Json sites = Json::array();
  for (const StoredSite& stored_site : store.sites()) sites.push_back(site_json(store, stored_site, options));
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
          {"sites", std::move(sites)}};
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

void write_samples_json(const StoreReader& store, const std::string& path, const SamplesJsonOptions& options) {
  const Json json = store_json(store, options);
  ReplacingFile file(path);
  // A token can be part of a character: what is not valid UTF-8 is replaced rather than refused.
  file.write(json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
  file.commit();
}

}  // namespace saetap

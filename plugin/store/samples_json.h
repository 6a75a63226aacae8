// The JSON of the original system: the top features with their strongest samples, readable on its own.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/config.h"
#include "plugin/store/store_reader.h"

namespace saetap {

// Text of a run of token ids, cut out of a longer one; see integrations/tokenizers. Empty function: only ids are
// written.
using DecodeTokens = std::function<std::string(std::span<const std::int32_t>)>;

struct SamplesJsonOptions {
  std::int64_t top_features = 100;
  std::int64_t samples_per_feature = 10;
  RankBy rank_by = RankBy::max_activation;
  Scope scope = Scope::recent;
  DecodeTokens decode;
  std::vector<int> sites{};                             // ids, of which the file is; empty: of all
  std::vector<std::uint32_t> features{};                // instead of the top ones, in this order
  std::function<void(std::size_t samples)> progress{};  // after each feature; may be empty
};

// Writes `path` atomically (a temporary file beside it, then rename) from what the store holds. Features that were
// never active are left out, unless they are asked for. Throws StoreError.
void write_samples_json(const StoreReader& store, const std::string& path, const SamplesJsonOptions& options);
// The same piece by piece, a feature at a time: memory does not grow with the number of features written.
void write_samples_json(const StoreReader& store, const std::function<void(std::string_view)>& write,
                        const SamplesJsonOptions& options);

// The sites that the file would be of, in the order of the store.
[[nodiscard]] std::vector<const StoredSite*> listed_sites(const StoreReader& store, const SamplesJsonOptions& options);
// The features of a site that the file would list, in its order.
[[nodiscard]] std::vector<std::uint32_t> listed_features(std::span<const FeatureStatistics> statistics,
                                                         const SamplesJsonOptions& options);
// One feature as the file has it. `statistics`: of the same scope. Throws StoreError.
[[nodiscard]] nlohmann::ordered_json feature_json(const StoreReader& store, const StoredSite& site,
                                                  std::uint32_t feature, const FeatureStatistics& statistics,
                                                  const SamplesJsonOptions& options);

// The same as values. Token fields are those of the file: empty where it has null.
struct JsonSample {
  Sample sample;
  std::int32_t token_id = 0;
  std::string text;
  std::vector<std::int32_t> context_token_ids;
  std::string context_text;
  std::size_t activating_index = 0;
  std::vector<float> context_activations;  // one per token of the context
};

struct JsonFeature {
  std::uint32_t feature = 0;
  std::uint64_t active_count = 0;
  double density = 0;
  double max = 0;
  double mean = 0;
  double std = 0;
  std::vector<JsonSample> samples;
};

struct JsonSite {
  std::string name;
  std::string module_type;
  std::string method;
  std::int64_t features = 0;
  ScopeFacts counted;                  // what the statistics are of
  std::uint64_t tokens_collected = 0;  // in the whole run
  std::vector<JsonFeature> top_features;
};

struct SamplesJson {
  Scope scope = Scope::recent;
  std::string started;
  std::string saved;
  std::string tokenizer;
  std::uint32_t max_samples_per_feature = 0;
  std::uint32_t sample_context_size = 0;
  float sample_activation_threshold = 0;
  std::uint64_t sample_collection_freq = 0;
  std::int64_t top_features_to_save = 0;
  std::int64_t samples_per_feature_to_save = 0;
  std::vector<JsonSite> sites;
};

// Throws StoreError: cannot be read, is not JSON, or is not a file that write_samples_json writes.
[[nodiscard]] SamplesJson read_samples_json(const std::string& path);

}  // namespace saetap

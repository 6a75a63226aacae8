// The JSON of the original system: the top features with their strongest samples, readable on its own.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
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
};

// Writes `path` atomically (a temporary file beside it, then rename) from what the store holds. Features that were
// never active are left out. Throws StoreError.
void write_samples_json(const StoreReader& store, const std::string& path, const SamplesJsonOptions& options);

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
  std::int64_t features = 0;
  std::vector<JsonFeature> top_features;
};

struct SamplesJson {
  Scope scope = Scope::recent;
  std::uint32_t max_samples_per_feature = 0;
  std::uint32_t sample_context_size = 0;
  float sample_activation_threshold = 0;
  std::vector<JsonSite> sites;
};

// Throws StoreError: cannot be read, is not JSON, or is not a file that write_samples_json writes.
[[nodiscard]] SamplesJson read_samples_json(const std::string& path);

}  // namespace saetap

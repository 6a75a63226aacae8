// What `saetap collect` was asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "integrations/tensors/shards.h"

namespace saetap::collect {

struct CollectRequest {
  std::string sae;
  std::string method = "forward";         // of the SAE
  std::string lm;                         // empty: activations are read from files
  std::optional<std::int64_t> lm_output;  // among all tensors that the model returns; none: the only one that fits
  tensors::ShardRequest shards;           // with `lm` no activations; without it maybe no tokens
  std::optional<std::int64_t> batch;      // rows in a call of the SAE
  std::optional<std::int64_t> sequences;  // texts in a call of the language model
  std::string device = "cpu";

  std::string output;  // folder
  bool resume = false;
  std::string config;  // file; empty: every key's default
  // In place of the config's keys.
  std::optional<std::int64_t> max_samples_per_feature;
  std::optional<std::int64_t> sample_context_size;
  std::optional<double> sample_activation_threshold;
  std::string tokenizer;

  std::string command;  // as a shell reads it, without --resume
};

// From the words that `saetap collect` has looked at before: --KEY=VALUE, each key as often as it has values. Throws
// cli::Failure.
[[nodiscard]] CollectRequest request_of(int argc, char** argv);

}  // namespace saetap::collect

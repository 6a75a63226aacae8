#include "plugin/session/run_identity.h"

#include <cstdio>
#include <filesystem>
#include <random>

#include "plugin/session/libtorch_version.h"
#include "plugin/store/store_files.h"

namespace saetap {

namespace {

std::uint64_t random_word() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace

RunHeader run_header(const Config& config, const std::string& program) {
  RunHeader header;
  char id[17];
  std::snprintf(id, sizeof id, "%016llx", static_cast<unsigned long long>(random_word()));
  header.run_id = id;
  header.libtorch_version = running_libtorch_version();
  header.program = program;
  header.started = utc_now();
  header.rank = rank_from_environment();
  header.redact = config.redact;
  header.counted = counted_text(config);
  if (!config.tokenizer.empty() && config.redact == Redact::nothing) {
    header.tokenizer = std::filesystem::absolute(config.tokenizer).string();
  }
  header.sample_collection_freq = static_cast<std::uint64_t>(config.sample_collection_freq);
  return header;
}

std::string counted_text(const Config& config) {
  const auto ids = [](const std::optional<std::vector<std::int32_t>>& given) {
    if (!given) return std::string("auto");
    std::string text;
    for (const std::int32_t id : *given) {
      if (!text.empty()) text += ',';
      text += std::to_string(id);
    }
    return text.empty() ? "none" : text;
  };
  const bool both = config.collect_train && config.collect_eval;
  return std::string("activation_scale=") +
         (config.activation_scale == ActivationScale::decoder_norm ? "decoder_norm" : "decoder_input") + " phases=" +
         (both                   ? "train,eval"
          : config.collect_train ? "train"
                                 : "eval") +
         " tokens.ignore_token_ids=" + ids(config.tokens.ignore_token_ids) +
         " tokens.document_boundary_ids=" + ids(config.tokens.document_boundary_ids) +
         " tokens.ignore_first_positions=" + std::to_string(config.tokens.ignore_first_positions);
}

SequenceId unresolved_sequence() {
  return random_word() & ~kHasTokens;
}

std::string samples_json_path(const std::string& store_path) {
  return std::filesystem::path(store_path).replace_extension(".json").string();
}

SamplesJsonOptions samples_json_options(const Config& config) {
  SamplesJsonOptions options;
  options.top_features = config.top_features_to_save;
  options.samples_per_feature = config.samples_per_feature_to_save;
  options.rank_by = config.rank_features_by;
  return options;
}

}  // namespace saetap

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
  if (!config.tokenizer.empty() && config.redact == Redact::nothing) {
    header.tokenizer = std::filesystem::absolute(config.tokenizer).string();
  }
  header.sample_collection_freq = static_cast<std::uint64_t>(config.sample_collection_freq);
  return header;
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

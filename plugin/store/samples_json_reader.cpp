#include <charconv>
#include <fstream>
#include <nlohmann/json.hpp>

#include "plugin/store/samples_json.h"

namespace saetap {
namespace {

using Json = nlohmann::json;

template <typename T>
T or_empty(const Json& json, const char* key) {
  const Json& value = json.at(key);
  return value.is_null() ? T{} : value.get<T>();
}

SequenceId sequence_from(const std::string& text) {
  SequenceId sequence = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), sequence);
  if (error != std::errc() || end != text.data() + text.size()) throw std::invalid_argument("a sequence is no number");
  return sequence;
}

JsonSample read_sample(const Json& json) {
  JsonSample read;
  read.sample.sequence = sequence_from(json.at("sequence").get<std::string>());
  read.sample.activation = json.at("activation").get<float>();
  read.sample.position = json.at("position").get<std::uint32_t>();
  read.sample.step = json.at("step").get<std::uint32_t>();
  read.token_id = or_empty<std::int32_t>(json, "token_id");
  read.text = or_empty<std::string>(json, "text");
  read.context_token_ids = or_empty<std::vector<std::int32_t>>(json, "context_token_ids");
  read.context_text = or_empty<std::string>(json, "context_text");
  read.activating_index = or_empty<std::size_t>(json, "activating_index");
  read.context_activations = or_empty<std::vector<float>>(json, "context_activations");
  if (!read.context_activations.empty() && read.context_activations.size() != read.context_token_ids.size()) {
    throw std::invalid_argument("context_activations are not as many as context_token_ids");
  }
  if (!read.context_token_ids.empty() && read.activating_index >= read.context_token_ids.size()) {
    throw std::invalid_argument("an activating_index lies outside its context");
  }
  return read;
}

JsonFeature read_feature(const Json& json) {
  JsonFeature feature;
  feature.feature = json.at("feature").get<std::uint32_t>();
  const Json& statistics = json.at("statistics");
  feature.active_count = statistics.at("active_count").get<std::uint64_t>();
  feature.density = statistics.at("density").get<double>();
  feature.max = statistics.at("max").get<double>();
  feature.mean = statistics.at("mean").get<double>();
  feature.std = statistics.at("std").get<double>();
  for (const Json& sample : json.at("samples")) feature.samples.push_back(read_sample(sample));
  return feature;
}

SamplesJson read_all(const Json& json) {
  if (json.at("format").get<std::string>() != "saetap samples") throw std::invalid_argument("another format");
  if (json.at("format_version").get<int>() != 1) throw std::invalid_argument("a format version other than 1");
  SamplesJson all;
  all.scope = json.at("scope").get<std::string>() == "recent" ? Scope::recent : Scope::all_time;
  const Json& config = json.at("config");
  all.max_samples_per_feature = config.at("max_samples_per_feature").get<std::uint32_t>();
  all.sample_context_size = config.at("sample_context_size").get<std::uint32_t>();
  all.sample_activation_threshold = config.at("sample_activation_threshold").get<float>();
  for (const Json& site : json.at("sites")) {
    JsonSite& read = all.sites.emplace_back();
    read.name = site.at("name").get<std::string>();
    read.features = site.at("features").get<std::int64_t>();
    for (const Json& feature : site.at("top_features")) read.top_features.push_back(read_feature(feature));
  }
  return all;
}

}  // namespace

SamplesJson read_samples_json(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw StoreError(path + ": cannot be read");
  const Json json = Json::parse(file, nullptr, false);
  if (json.is_discarded()) throw StoreError(path + ": not valid JSON");
  try {
    return read_all(json);
  } catch (const std::exception& error) {
    throw StoreError(path + ": not a samples.json of saetap (" + error.what() + ")");
  }
}

}  // namespace saetap

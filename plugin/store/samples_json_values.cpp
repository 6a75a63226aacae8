#include "plugin/store/samples_json_values.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace saetap {
namespace {

using Json = nlohmann::json;

// A text, a number or a list of numbers. JSON's own conversion would cut a number that does not fit.
template <typename T>
T value_of(const Json& json) {
  if constexpr (std::is_integral_v<T>) {
    const bool fits = json.is_number_unsigned()
                          ? std::in_range<T>(json.get<std::uint64_t>())
                          : json.is_number_integer() && std::in_range<T>(json.get<std::int64_t>());
    if (!fits) throw std::invalid_argument("a whole number is none, or too large");
    return json.get<T>();
  } else if constexpr (std::is_floating_point_v<T>) {
    const auto value = json.get<double>();
    if (!(std::abs(value) <= double{std::numeric_limits<T>::max()}))
      throw std::invalid_argument("a number is too large");
    return static_cast<T>(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return json.get<std::string>();
  } else {
    if (!json.is_array()) throw std::invalid_argument("a list is none");
    T values;
    for (const Json& value : json) values.push_back(value_of<typename T::value_type>(value));
    return values;
  }
}

template <typename T>
T or_empty(const Json& json, const char* key) {
  const Json& value = json.at(key);
  return value.is_null() ? T{} : value_of<T>(value);
}

SequenceId sequence_from(const std::string& text) {
  SequenceId sequence = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), sequence);
  if (error != std::errc() || end != text.data() + text.size()) throw std::invalid_argument("a sequence is no number");
  return sequence;
}

JsonSample read_sample(const Json& json) {
  JsonSample read;
  read.sample.sequence = sequence_from(value_of<std::string>(json.at("sequence")));
  read.sample.activation = value_of<float>(json.at("activation"));
  read.sample.position = value_of<std::uint32_t>(json.at("position"));
  read.sample.step = value_of<std::uint32_t>(json.at("step"));
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

ScopeFacts read_counted(const Json& site) {
  return {value_of<std::uint64_t>(site.at("first_step")), value_of<std::uint64_t>(site.at("last_step")),
          value_of<std::uint64_t>(site.at("tokens_counted"))};
}

JsonSite read_site(const Json& json) {
  JsonSite site;
  site.name = value_of<std::string>(json.at("name"));
  site.module_type = value_of<std::string>(json.at("module_type"));
  site.method = value_of<std::string>(json.at("method"));
  site.features = value_of<std::int64_t>(json.at("features"));
  site.counted = read_counted(json);
  site.tokens_collected = value_of<std::uint64_t>(json.at("tokens_collected"));
  return site;
}

Scope read_scope(const std::string& text) {
  if (text == "recent") return Scope::recent;
  if (text == "all_time") return Scope::all_time;
  throw std::invalid_argument("a scope is neither recent nor all_time");
}

}  // namespace

std::string reason_of(const std::exception& error) {
  const std::string reason = error.what();
  const std::size_t end = reason.starts_with("[json.exception.") ? reason.find("] ") : std::string::npos;
  return end == std::string::npos ? reason : reason.substr(end + 2);
}

JsonFeature json_feature_from(const Json& json) {
  JsonFeature feature;
  feature.feature = value_of<std::uint32_t>(json.at("feature"));
  const Json& statistics = json.at("statistics");
  feature.active_count = value_of<std::uint64_t>(statistics.at("active_count"));
  feature.density = value_of<double>(statistics.at("density"));
  feature.max = value_of<double>(statistics.at("max"));
  feature.mean = value_of<double>(statistics.at("mean"));
  feature.std = value_of<double>(statistics.at("std"));
  for (const Json& sample : json.at("samples")) feature.samples.push_back(read_sample(sample));
  return feature;
}

SamplesJson samples_json_head_from(const Json& json) {
  if (!json.is_object() || json.value("format", Json()) != "saetap samples") {
    throw std::invalid_argument("its \"format\" is not \"saetap samples\"");
  }
  if (value_of<int>(json.at("format_version")) != 1) throw std::invalid_argument("a format version other than 1");
  SamplesJson head;
  head.scope = read_scope(value_of<std::string>(json.at("scope")));
  head.started = value_of<std::string>(json.at("started"));
  head.saved = value_of<std::string>(json.at("saved"));
  head.tokenizer = value_of<std::string>(json.at("tokenizer"));
  const Json& config = json.at("config");
  head.max_samples_per_feature = value_of<std::uint32_t>(config.at("max_samples_per_feature"));
  head.sample_context_size = value_of<std::uint32_t>(config.at("sample_context_size"));
  head.sample_activation_threshold = value_of<float>(config.at("sample_activation_threshold"));
  head.sample_collection_freq = value_of<std::uint64_t>(config.at("sample_collection_freq"));
  head.top_features_to_save = value_of<std::int64_t>(config.at("top_features_to_save"));
  head.samples_per_feature_to_save = value_of<std::int64_t>(config.at("samples_per_feature_to_save"));
  for (const Json& site : json.at("sites")) head.sites.push_back(read_site(site));
  return head;
}

}  // namespace saetap

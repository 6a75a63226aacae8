#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "plugin/file_content.h"
#include "plugin/store/samples_json.h"

namespace saetap {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLargestFile = std::size_t{1} << 30;  // the defaults make some MB

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

JsonFeature read_feature(const Json& json) {
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

SamplesJson read_all(const Json& json) {
  if (value_of<std::string>(json.at("format")) != "saetap samples") throw std::invalid_argument("another format");
  if (value_of<int>(json.at("format_version")) != 1) throw std::invalid_argument("a format version other than 1");
  SamplesJson all;
  all.scope = value_of<std::string>(json.at("scope")) == "recent" ? Scope::recent : Scope::all_time;
  const Json& config = json.at("config");
  all.max_samples_per_feature = value_of<std::uint32_t>(config.at("max_samples_per_feature"));
  all.sample_context_size = value_of<std::uint32_t>(config.at("sample_context_size"));
  all.sample_activation_threshold = value_of<float>(config.at("sample_activation_threshold"));
  for (const Json& site : json.at("sites")) {
    JsonSite& read = all.sites.emplace_back();
    read.name = value_of<std::string>(site.at("name"));
    read.features = value_of<std::int64_t>(site.at("features"));
    for (const Json& feature : site.at("top_features")) read.top_features.push_back(read_feature(feature));
  }
  return all;
}

}  // namespace

SamplesJson read_samples_json(const std::string& path) {
  try {
    const Json json = Json::parse(file_content(path, kLargestFile), nullptr, false);
    if (json.is_discarded()) throw StoreError(path + ": not valid JSON");
    return read_all(json);
  } catch (const StoreError&) {
    throw;
  } catch (const FileError& error) {
    throw StoreError(path + ": cannot be read (" + error.what() + ")");
  } catch (const std::exception& error) {
    throw StoreError(path + ": not a samples.json of saetap (" + error.what() + ")");
  }
}

}  // namespace saetap

#include <nlohmann/json.hpp>

#include "plugin/file_content.h"
#include "plugin/store/samples_json.h"
#include "plugin/store/samples_json_values.h"

namespace saetap {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLargestFile = std::size_t{1} << 30;  // the defaults make some MB

std::string content_of(const std::string& path) {
  try {
    return file_content(path, kLargestFile);
  } catch (const FileError& error) {
    throw StoreError(path + ": cannot be read (" + error.what() + ")");
  }
}

SamplesJson read_all(const Json& json) {
  SamplesJson all = samples_json_head_from(json);
  for (std::size_t i = 0; i < all.sites.size(); ++i) {
    for (const Json& feature : json.at("sites").at(i).at("top_features")) {
      all.sites[i].top_features.push_back(json_feature_from(feature));
    }
  }
  return all;
}

}  // namespace

SamplesJson read_samples_json(const std::string& path) {
  return of_samples_json(path, [&] {
    const Json json = Json::parse(content_of(path), nullptr, false);
    if (json.is_discarded()) throw StoreError(path + ": not valid JSON");
    return read_all(json);
  });
}

}  // namespace saetap

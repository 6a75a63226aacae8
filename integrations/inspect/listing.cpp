#include "integrations/inspect/listing.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "integrations/analysis/visible_text.h"
#include "plugin/config.h"

namespace saetap::inspect {

namespace {

using Json = nlohmann::ordered_json;

std::string name_of(Confidence confidence) {
  return confidence == Confidence::certain ? "certain" : confidence == Confidence::uncertain ? "uncertain" : "no";
}

std::string config_line(const ListedSite& site) {
  return hook_rule_json({site.module, site.method, site.value});
}

std::string line(const std::string& label, const std::string& text) {
  constexpr std::size_t kLabelColumns = 11;
  return "  " + label + std::string(kLabelColumns - label.size(), ' ') + visible(text) + "\n";
}

std::string title(const ListedSite& site) {
  const auto module = site.module_path.empty() ? site.module : site.module_path + " (" + site.module + ")";
  return visible(module + " › " + site.method + " › " + site.value) + "\n";
}

std::string features_text(const ListedSite& site) {
  const auto form = site.form == "pair" ? "(value, feature) pairs of " : site.form == "coo" ? "sparse COO " : "";
  const auto stack = site.groups > 1 ? ", a stack of " + std::to_string(site.groups) + "," : "";
  return form + site.shape + stack + (site.operation == "return" ? " are returned" : " enter " + site.operation);
}

std::string weight_text(const std::string& path, std::int64_t from, std::int64_t to) {
  return path + " [" + std::to_string(from) + " → " + std::to_string(to) + "]";
}

std::string block(const ListedSite& site) {
  return title(site) + line(name_of(site.confidence), site.reason) + line("features", features_text(site)) +
         line("encoder", weight_text(site.encoder, site.d_in, site.features)) +
         line("decoder", site.d_out ? weight_text(site.decoder, site.features, *site.d_out) : "none seen") +
         line("config", config_line(site)) + "\n";
}

std::string left_out_line(std::size_t left_out) {
  if (left_out == 0) return "";
  return std::to_string(left_out) + (left_out == 1 ? " unlikely place" : " unlikely places") +
         " left out (--all shows " + (left_out == 1 ? "it)\n" : "them)\n");
}

std::string last_line(const Inspection& inspection) {
  std::set<std::string> methods;
  std::size_t certain = 0;
  for (const auto& site : inspection.sites) {
    if (site.confidence != Confidence::certain) continue;
    ++certain;
    methods.insert(site.module_path + " " + site.method);
  }
  if (certain == 0) return "nothing would be hooked without a key\n";
  return "hooked without any key: " + std::to_string(certain) + (certain == 1 ? " site" : " sites") +
         (methods.size() > 1 ? ", each when its own method is called\n" : "\n");
}

Json json_of(const ListedSite& site) {
  const auto config = std::string("{").append(config_line(site)).append("}");
  return {{"module", site.module},
          {"module_path", site.module_path},
          {"method", site.method},
          {"value", site.value},
          {"operation", site.operation},
          {"form", site.form},
          {"shape", site.shape},
          {"stack", site.groups},
          {"features", site.features},
          {"d_in", site.d_in},
          {"d_out", site.d_out ? Json(*site.d_out) : Json()},
          {"encoder", site.encoder},
          {"decoder", site.decoder},
          {"activation", site.activation},
          {"confidence", name_of(site.confidence)},
          {"reason", site.reason},
          {"config", Json::parse(config)}};
}

}  // namespace

std::string text_of(const Inspection& inspection, bool all) {
  std::string text;
  std::size_t left_out = 0;
  for (const auto& site : inspection.sites) {
    const bool shown = all || site.confidence != Confidence::no;
    left_out += shown ? 0 : 1;
    if (shown) text += block(site);
  }
  return text + left_out_line(left_out) + last_line(inspection);
}

std::string json_of(const Inspection& inspection) {
  Json object{{"model", inspection.model}, {"module", inspection.module}, {"methods", inspection.methods}};
  object["candidates"] = Json::array();
  for (const auto& site : inspection.sites) object["candidates"].push_back(json_of(site));
  return object.dump(2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

}  // namespace saetap::inspect

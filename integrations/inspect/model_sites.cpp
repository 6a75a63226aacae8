#include "integrations/inspect/model_sites.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "hooks/feature_site.h"
#include "integrations/libtorch/first_line.h"

namespace saetap::inspect {

using c10::ivalue::Object;
using hooks::FeatureSite;

namespace {

// A parameter, or of one that holds several weights the one at an index.
using Weight = std::pair<const c10::TensorImpl*, std::vector<std::pair<std::int64_t, std::int64_t>>>;

std::string type_name(const Object& object) {
  const auto type = object.type();
  return type->name() ? type->name()->name() : "module";
}

// Null if there is no tensor of this name.
const c10::TensorImpl* tensor_at(const Object& object, std::string_view path) {
  const auto dot = path.find('.');
  const std::string name(path.substr(0, dot));
  if (!object.type()->findAttributeSlot(name)) return nullptr;
  const auto attribute = object.getAttr(name);
  if (dot == std::string_view::npos) return attribute.isTensor() ? attribute.unsafeToTensorImpl() : nullptr;
  return attribute.isObject() ? tensor_at(attribute.toObjectRef(), path.substr(dot + 1)) : nullptr;
}

// What tells a site from those of other methods: its decoder; its encoder where no decoder is known.
Weight weight_of(const FeatureSite& site, const Object& self) {
  if (site.decoder.empty()) return {tensor_at(self, site.encoder), {}};
  const auto* tensor = site.decoder_attribute.empty()
                           ? site.decoder_constant.unsafeGetTensorImpl()
                           : tensor_at(self, hooks::joined_path(site.module_path, site.decoder_attribute));
  return {tensor, site.decoder_layout.selected};
}

// "[N, 4096]"; of a stack "[12, N, 4096]" or "[N, 12, 4096]": features and groups where the module has them. ".."
// stands for any number of dimensions, the groups among them where it is not known which they are.
std::string shape_of(const FeatureSite& site) {
  const bool stack = site.groups > 1;
  const auto features = std::to_string(site.features);
  const auto groups = std::to_string(site.groups);
  if (site.feature_axis >= 0) return "[" + features + ", ..]";
  if (stack && !site.group_axis) return "[.., " + features + "]";
  if (stack && *site.group_axis >= 0) return "[" + groups + ", .., " + features + "]";
  const auto group_axis = stack ? *site.group_axis : 0;
  const auto rank = std::max({-site.feature_axis, -group_axis, std::int64_t{stack ? 3 : 2}});
  std::string text = "[";
  for (auto axis = -rank; axis < 0; ++axis) {
    text += axis == site.feature_axis ? features : axis == group_axis ? groups : "N";
    text += axis == -1 ? "]" : ", ";
  }
  return text;
}

// "TopK, certain" says twice what the confidence says.
std::string reason_of(const FeatureSite& site) {
  constexpr std::string_view kSaidTwice = ", certain";
  return site.reason.ends_with(kSaidTwice) ? site.reason.substr(0, site.reason.size() - kSaidTwice.size())
                                           : site.reason;
}

ListedSite listed(const FeatureSite& site) {
  ListedSite shown;
  shown.value = site.value;
  shown.operation = site.operation;
  shown.form = name_of(site.form);
  shown.shape = shape_of(site);
  shown.groups = site.groups;
  shown.features = site.features;
  shown.d_in = site.d_in;
  if (!site.decoder.empty()) shown.d_out = site.d_out;
  shown.encoder = site.encoder;
  shown.decoder = site.decoder;
  shown.activation = site.activation;
  shown.confidence = site.certain ? Confidence::certain : site.worth_naming ? Confidence::uncertain : Confidence::no;
  shown.reason = reason_of(site);
  return shown;
}

// Surest of the sites with a weight.
using Shown = std::map<Weight, Confidence>;

void add(Shown& shown, const Weight& weight, Confidence confidence) {
  if (weight.first == nullptr) return;
  auto& known = shown.try_emplace(weight, confidence).first->second;
  known = std::max(known, confidence);
}

class Walk {
 public:
  explicit Walk(Inspection& inspection) : inspection_(inspection) {}

  void visit(const Object& object, const std::string& path) {
    if (!visited_.insert(&object).second) return;
    Shown here;
    for (auto* method : object.type()->methods()) try_method(*method, object, path, here);
    for (const auto& [weight, confidence] : here) add(above_, weight, confidence);
    const auto type = object.type();
    for (std::size_t slot = 0; slot < type->numAttributes(); ++slot) {
      const auto& attribute = object.getSlot(slot);
      if (!attribute.isObject() || !attribute.toObjectRef().type()->is_module()) continue;
      visit(attribute.toObjectRef(), hooks::joined_path(path, type->getAttributeName(slot)));
    }
  }

 private:
  // One method that cannot be read must not cost the others their answer.
  void try_method(torch::jit::Function& method, const Object& object, const std::string& path, Shown& here) {
    auto* function = torch::jit::tryToGraphFunction(method);
    if (function == nullptr) return;
    try {
      look_at(*function, object, path, here);
      ++inspection_.methods;
    } catch (const std::exception& error) {
      inspection_.notes.push_back(type_name(object) + " › " + method.name() + " not looked at: " + first_line(error));
    }
  }

  void look_at(torch::jit::GraphFunction& function, const Object& object, const std::string& path, Shown& here) {
    const auto graph = hooks::graph_of(function);
    for (const auto& site : hooks::find_feature_sites(graph, object)) {
      auto shown = listed(site);
      const auto weight = weight_of(site, object);
      if (is_shown_above(weight, shown.confidence)) continue;
      add(here, weight, shown.confidence);
      add(here, {tensor_at(object, site.encoder), {}}, shown.confidence);
      shown.module = type_name(object);
      shown.module_path = path;
      shown.method = function.name();
      inspection_.sites.push_back(std::move(shown));
    }
  }

  // What is certain in a submodule that is called by itself, and not where it is part of something larger, is news.
  [[nodiscard]] bool is_shown_above(const Weight& weight, Confidence confidence) const {
    const auto above = above_.find(weight);
    return above != above_.end() && (confidence != Confidence::certain || above->second == Confidence::certain);
  }

  Inspection& inspection_;
  std::set<const Object*> visited_;  // an object may stand in several places
  Shown above_;
};

}  // namespace

Inspection inspect_model(const torch::jit::Module& model, const std::string& path) {
  const auto object = model._ivalue();
  Inspection inspection;
  inspection.model = path;
  inspection.module = type_name(*object);
  Walk(inspection).visit(*object, "");
  std::stable_sort(inspection.sites.begin(), inspection.sites.end(),
                   [](const ListedSite& a, const ListedSite& b) { return a.confidence > b.confidence; });
  return inspection;
}

}  // namespace saetap::inspect

#include "plugin/session/feature_tap.h"

namespace saetap {

namespace {

std::string shape_of(const hooks::FeatureSite& site) {
  const auto width = std::to_string(site.features);
  if (site.groups > 1) return "features [" + std::to_string(site.groups) + " x N, " + width + "]";
  if (site.form == hooks::CodeForm::pair) return "(value, feature) pairs of [N, " + width + "]";
  return (site.form == hooks::CodeForm::coo ? "sparse features [N, " : "features [N, ") + width + "]";
}

}  // namespace

FeatureTap::FeatureTap(const hooks::Meeting& meeting, const hooks::FeatureSite& found, std::string path)
    : form(found.form),
      distinct_pairs(found.distinct_pairs),
      groups(found.groups),
      feature_axis(found.feature_axis),
      group_axis(found.group_axis),
      decoder_attribute(found.decoder_attribute),
      decoder_layout(found.decoder_layout),
      decoder_normalised(found.decoder_normalised) {
  site.module_type = meeting.type_name;
  site.path = std::move(path);
  site.method = meeting.function.name();
  site.description = site_line(meeting, found);
  site.features = found.features;
  site.d_in = found.d_in;
  site.d_out = found.d_out;
  if (found.decoder_constant.defined()) decoder_constant.emplace(found.decoder_constant.getIntrusivePtr());
}

FeatureTap::FeatureTap(Site declared) : site(std::move(declared)) {}

at::Tensor decoder_weight(const FeatureTap& tap, const c10::IValue& owner) {
  if (tap.decoder_told.defined()) return tap.decoder_told;
  if (tap.decoder_attribute.empty()) {
    auto constant = tap.decoder_constant ? tap.decoder_constant->lock()
                                         : c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>();
    return constant.defined() ? at::Tensor::wrap_tensor_impl(std::move(constant)) : at::Tensor();
  }
  c10::IValue value = owner;
  for (std::size_t from = 0; from < tap.decoder_attribute.size() && value.isObject();) {
    const auto dot = std::min(tap.decoder_attribute.find('.', from), tap.decoder_attribute.size());
    const auto name = tap.decoder_attribute.substr(from, dot - from);
    if (!value.toObjectRef().type()->findAttributeSlot(name)) return {};
    value = value.toObjectRef().getAttr(name);
    from = dot + 1;
  }
  return value.isTensor() ? value.toTensor() : at::Tensor();
}

std::string site_line(const hooks::Meeting& meeting, const hooks::FeatureSite& site) {
  const auto entered = site.value == "return" ? "are returned" : "enter " + site.value;
  return meeting.type_name + " › " + meeting.function.name() + ": " + shape_of(site) + " " + entered + " (" +
         site.reason + ")";
}

}  // namespace saetap

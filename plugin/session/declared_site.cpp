#include "plugin/session/declared_site.h"

#include <algorithm>

#include "plugin/session/tapped_call.h"

namespace saetap {

namespace {

// As many as a store may have.
constexpr std::int64_t kMostFeatures = std::int64_t{1} << 26;
constexpr std::int64_t kWidest = std::int64_t{1} << 24;

[[noreturn]] void refuse(const std::string& why) {
  throw std::invalid_argument(why);
}

std::string shape_of(const at::Tensor& tensor) {
  std::string text = "[";
  for (const auto size : tensor.sizes()) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

void check_size(const DeclaredSite& site, const char* what, std::int64_t size, std::int64_t most) {
  if (size >= 1 && size <= most) return;
  refuse("site \"" + site.name + "\": " + what + " is " + std::to_string(size) + ", has to be from 1 to " +
         std::to_string(most));
}

std::string name_in_refusal(const Site& site) {
  return "site \"" + site.module_type + "\": ";
}

}  // namespace

FeatureTap tap_of(const DeclaredSite& site) {
  if (site.name.empty()) refuse("a site has to have a name");
  check_size(site, "features", site.features, kMostFeatures);
  check_size(site, "d_in", site.d_in, kWidest);
  check_size(site, "d_out", site.d_out, kWidest);
  Site declared;
  declared.name = site.name;
  declared.module_type = site.name;
  declared.description = site.description.empty() ? site.name + ": declared by the program" : site.description;
  declared.features = site.features;
  declared.d_in = site.d_in;
  declared.d_out = site.d_out;
  return FeatureTap(std::move(declared));
}

void check_shapes(const Site& site, const DeclaredCall& call) {
  const auto name = name_in_refusal(site);
  const auto& values = call.activations;
  const auto& indices = call.indices;
  if (!values.defined() || values.dim() < 1) refuse(name + "activations have to be [rows, features]");
  if (!at::isFloatingType(values.scalar_type())) refuse(name + "activations have to be floating");
  if (indices.defined()) {
    if (values.layout() != at::kStrided) refuse(name + "sparse activations have no indices beside them");
    if (indices.sizes() != values.sizes()) {
      refuse(name + "activations " + shape_of(values) + " and indices " + shape_of(indices) + " differ");
    }
    if (!at::isIntegralType(indices.scalar_type(), false)) refuse(name + "indices have to be integers");
  } else if (values.size(-1) != site.features) {
    refuse(name + "activations " + shape_of(values) + " have to end in " + std::to_string(site.features) + " features");
  }
  if (!call.rows.defined()) return;
  const auto& rows = call.rows;
  const bool fits = rows.dim() >= 1 && rows.size(-1) == site.d_in && rows.numel() / site.d_in == rows_of_pairs(values);
  if (!fits) {
    refuse(name + "rows " + shape_of(rows) + " have to be one of " + std::to_string(site.d_in) +
           " numbers for each row of activations " + shape_of(values));
  }
}

template <typename Index>
void PairCheck::check_features(const at::Tensor& indices, const Site& site) {
  const auto straight = indices.contiguous();
  const auto per_row = straight.size(-1);
  const auto* at = straight.const_data_ptr<Index>();
  for (std::int64_t i = 0; i < straight.numel(); ++i) {
    if (i % per_row == 0 && ++row_ == 0) {  // all numbers were given out
      std::fill(latest_row_.begin(), latest_row_.end(), 0);
      row_ = 1;
    }
    if (at[i] < 0 || at[i] >= site.features) {
      refuse(name_in_refusal(site) + "there is no feature " + std::to_string(at[i]) + " of " +
             std::to_string(site.features));
    }
    auto& latest = latest_row_[static_cast<std::size_t>(at[i])];
    if (latest == row_) {
      refuse(name_in_refusal(site) + "feature " + std::to_string(at[i]) + " stands twice in one row of the indices");
    }
    latest = row_;
  }
}

void PairCheck::check(const Site& site, const DeclaredCall& call) {
  const auto& indices = call.indices;
  if (!indices.defined() || !indices.device().is_cpu()) return;
  if (latest_row_.size() < static_cast<std::size_t>(site.features)) {
    latest_row_.resize(static_cast<std::size_t>(site.features), 0);
  }
  if (indices.scalar_type() == at::kInt) return check_features<std::int32_t>(indices, site);
  check_features<std::int64_t>(indices.to(at::kLong), site);
}

void check_model_rows(const at::Tensor& tokens, const at::Tensor& mask, const at::Tensor& rows) {
  if (!tokens.defined() || tokens.dim() != 2 || !at::isIntegralType(tokens.scalar_type(), false)) {
    refuse("tokens have to be integers [batch, length]");
  }
  if (mask.defined() && mask.numel() != tokens.numel()) refuse("the mask has to be [batch, length], as the tokens");
  const bool one_each = rows.defined() && rows.dim() >= 2 && at::isFloatingType(rows.scalar_type()) &&
                        rows.numel() == tokens.numel() * rows.size(-1) &&
                        (rows.dim() == 2 || rows.sizes().slice(0, 2) == tokens.sizes());
  if (!one_each) refuse("rows have to be floating, [batch, length, d] or [batch * length, d]: one for each token");
}

}  // namespace saetap

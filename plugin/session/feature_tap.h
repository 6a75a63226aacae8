// What the analysis of a graph said of a feature tap, as plain facts: it outlives the graph, and keeps nothing of it
// alive.
#pragma once

#include <optional>
#include <string>

#include "hooks/discover.h"
#include "plugin/collect/callback.h"

namespace saetap {

struct FeatureTap {
  using WeakTensor = c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>;

  // `path`: of the SAE inside the module that was met.
  FeatureTap(const hooks::Meeting& meeting, const hooks::FeatureSite& found, std::string path);
  // A site that the program declares. The name is its identity.
  explicit FeatureTap(Site declared);

  Site site;  // of one group; id, group, and of a site that was found the name, are not settled yet
  hooks::CodeForm form = hooks::CodeForm::dense;
  bool distinct_pairs = true;
  std::int64_t groups = 1;
  std::int64_t feature_axis = -1;
  std::optional<std::int64_t> group_axis;

  std::string decoder_attribute;               // from the owner, with dots; empty for a constant of a frozen graph
  std::optional<WeakTensor> decoder_constant;  // of a frozen graph, or a parameter that the program named
  at::Tensor decoder_told;                     // a copy of what the program gave; undefined: none
  hooks::WeightLayout decoder_layout;
  bool decoder_normalised = false;

  bool failed = false;  // switched off after an error
};

// The decoder's weight as it is now; undefined if it cannot be had. Valid while the tapped call runs.
[[nodiscard]] at::Tensor decoder_weight(const FeatureTap& tap, const c10::IValue& owner);

// "TopKSAE › forward: features [N, 4096] enter W_dec (TopK, certain)"
[[nodiscard]] std::string site_line(const hooks::Meeting& meeting, const hooks::FeatureSite& site);

}  // namespace saetap

// A pair of products that may be an SAE, while it is being judged.
#pragma once

#include <limits>
#include <vector>

#include "hooks/data_flow.h"
#include "hooks/feature_site.h"
#include "hooks/sparse_code.h"

namespace saetap::hooks {

// What the judgement needs to know of the graph that candidates stand in.
struct GraphView {
  const Scope& scope;
  Values from_input;
  std::vector<WeightProduct> products;  // that read something computed from an input, in order
  Nodes product_nodes;
};
[[nodiscard]] GraphView view_of(const Scope& scope);

struct Candidate {
  FeatureSite site;
  const WeightProduct* encoder = nullptr;
  const WeightProduct* decoder = nullptr;
  torch::jit::Value* rows = nullptr;  // given to the encoder, even where a tap cannot read them
  torch::jit::Value* code = nullptr;  // the features before casts: what several decoders may share
  CodeMaker maker;
  bool mixes_rows = false;        // something between encoder and decoder computes with several rows: attention
  bool only_looks_alike = false;  // refused for nothing but that a feed-forward block looks the same
  // Of the returned values, the first that the reconstruction reaches.
  std::size_t first_output = std::numeric_limits<std::size_t>::max();
};

// Whether two products read one parameter; freezing makes a constant of its own of every use.
[[nodiscard]] bool same_parameter(const WeightProduct& a, const WeightProduct& b);

// Fills in certain, worth_naming and reason.
void judge(Candidate& candidate, const GraphView& view);
// Candidates that share a code or a decoder: one of them is the site. Branches of one prim::If become points of one
// site.
[[nodiscard]] std::vector<FeatureSite> settle(std::vector<Candidate> candidates);

// The site of a method that encodes and returns its code, while another method of the module decodes.
[[nodiscard]] std::optional<FeatureSite> returned_code(const GraphView& view, const c10::ivalue::Object& self);

}  // namespace saetap::hooks

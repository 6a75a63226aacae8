// Static analysis of a method's graph: which value holds the feature activations?
//
// The feature activations are the value that enters the decoder's matrix product. A sparse autoencoder is a pair of
// products with weights [d_in, F] and [F, d_out], the second downstream of the first and on the way to the returned
// reconstruction. No names are needed; the decoder's directions come with it.
#pragma once

#include <string>
#include <vector>

#include "hooks/libtorch.h"
#include "hooks/weight_operand.h"

namespace saetap::hooks {

struct FeatureSite {
  WeightProduct encoder;
  WeightProduct decoder;
  torch::jit::Value* features = nullptr;  // what the decoder consumes
  torch::jit::Value* rows = nullptr;      // the rows given to the encoder, before centring, casts and the like
  std::string activation;  // "TopK", "ReLU", "JumpReLU"…: what makes the code sparse; empty if nothing seen
  bool certain = false;
  bool worth_naming = false;  // not certain, but near enough for a person to hear of it
  std::string reason;         // why certain, or why not; one line for people

  [[nodiscard]] std::int64_t width() const { return decoder.in; }
};

// All encoder-decoder pairs of the graph, the certain ones first. At most one certain site: where several pairs would
// do, none is certain. `graph` must be inlined; values and nodes in the result belong to it.
[[nodiscard]] std::vector<FeatureSite> find_feature_sites(torch::jit::Graph& graph, const c10::ivalue::Object& self);

}  // namespace saetap::hooks

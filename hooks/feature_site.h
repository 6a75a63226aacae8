// Static analysis of a method's graph: which value holds the feature activations?
//
// The feature activations are the value that enters the decoder's matrix product. A sparse autoencoder is a pair of
// products with weights [d_in, F] and [F, d_out], the second computed from the first and on the way to what is
// returned. No names are needed; the decoder's directions come with it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hooks/weight_product.h"

namespace saetap::hooks {

enum class CodeForm : std::uint8_t { dense, pair, coo };
[[nodiscard]] std::string name_of(CodeForm form);

// Where a tap goes, and what it reads there.
struct TapPoint {
  torch::jit::Node* before = nullptr;    // the decoder; the graph's return where a code is returned
  torch::jit::Value* values = nullptr;   // the features, or the values of their pairs
  torch::jit::Value* dense = nullptr;    // what the decoder is given, pairs or not; null if it is given the pairs
  torch::jit::Value* indices = nullptr;  // of pairs: which features
  torch::jit::Value* rows = nullptr;     // given to the encoder, before centring, casts and the like; null: not at hand
  torch::jit::Value* owner = nullptr;    // the object that holds the decoder; null: the graph's first input
};

struct FeatureSite {
  // At most one of them runs in any one call: they stand in different branches.
  std::vector<TapPoint> points;

  CodeForm form = CodeForm::dense;
  bool distinct_pairs = true;  // no feature occurs twice in a row's pairs
  std::int64_t features = 0;   // F, of one group
  std::int64_t d_in = 0;       // width of a row given to the encoder
  std::int64_t d_out = 0;
  std::int64_t groups = 1;         // layers or instances of a stack [L, N, F], each with features of its own
  std::int64_t feature_axis = -1;  // of dense features, counted from the end where negative
  std::optional<std::int64_t> group_axis;

  std::string value;        // names the site within its method, for the config: "decoder.weight", "W_dec#2", "return"
  std::string module_path;  // of the object that holds the decoder, from the method's module: "sae"
  std::string encoder;      // path of its weight
  std::string decoder;
  std::string operation;   // the decoder's: "linear", "embedding_bag"
  std::string activation;  // what makes the code sparse: "TopK", "ReLU", "JumpReLU"…; empty if nothing seen

  // The decoder's weight: an attribute of the tapped owner, with dots where it lies deeper, or a frozen constant.
  std::string decoder_attribute;
  at::Tensor decoder_constant;
  WeightLayout decoder_layout;
  bool decoder_normalised = false;  // directions have norm 1 where the product reads them

  bool repeats = false;  // it stands in a loop and runs several times a call
  bool certain = false;
  bool worth_naming = false;  // not certain, but near enough for a person to hear of it
  std::string reason;         // why certain, or why not; one line for people
};

// All candidates, the certain ones first. Of pairs that share a decoder at most one is certain. `graph`: the method's,
// inlined, a copy that may be changed; values and nodes in the result belong to it. `self`: the method's module.
[[nodiscard]] std::vector<FeatureSite> find_feature_sites(const std::shared_ptr<torch::jit::Graph>& graph,
                                                          const c10::ivalue::Object& self);

}  // namespace saetap::hooks

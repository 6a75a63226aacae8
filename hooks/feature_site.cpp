#include "hooks/feature_site.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <tuple>
#include <unordered_set>

namespace saetap::hooks {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

namespace {

using Values = std::unordered_set<const Value*>;

// Adds every value computed from `reached` within `block`. A node with blocks of its own counts as one whole: its
// outputs are reached if anything inside is. One pass is enough, for nodes stand in the order of their data.
bool spread(Block* block, Values& reached) {
  bool any = false;
  for (Node* node : block->nodes()) {
    bool hit =
        std::any_of(node->inputs().begin(), node->inputs().end(), [&](Value* v) { return reached.count(v) != 0; });
    for (Block* inner : node->blocks()) {
      if (hit) reached.insert(inner->inputs().begin(), inner->inputs().end());
      hit = spread(inner, reached) || hit;
      hit = hit || std::any_of(inner->outputs().begin(), inner->outputs().end(),
                               [&](Value* v) { return reached.count(v) != 0; });
    }
    if (!hit) continue;
    reached.insert(node->outputs().begin(), node->outputs().end());
    any = true;
  }
  return any;
}

Values downstream_of(Graph& graph, at::ArrayRef<Value*> sources) {
  Values reached(sources.begin(), sources.end());
  spread(graph.block(), reached);
  return reached;
}

bool reaches_return(Graph& graph, const Values& reached) {
  return std::any_of(graph.outputs().begin(), graph.outputs().end(), [&](Value* v) { return reached.count(v) != 0; });
}

void collect_products(Block* block, const c10::ivalue::Object& self, const Values& from_input,
                      std::vector<WeightProduct>& products) {
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) collect_products(inner, self, from_input, products);
    auto product = weight_product(node, self);
    if (product && from_input.count(product->activation()) != 0) products.push_back(std::move(*product));
  }
}

// Follows the encoder's operand back through what people do to a row before encoding it. Sums and products of two
// values that both come from the input end the way: a residual stream is no row that was given to us.
Value* rows_before(Value* value, const Values& from_input) {
  static const std::unordered_set<std::string_view> kRowTransforms = {"aten::sub",
                                                                      "aten::add",
                                                                      "aten::mul",
                                                                      "aten::div",
                                                                      "aten::to",
                                                                      "aten::type_as",
                                                                      "aten::detach",
                                                                      "aten::contiguous",
                                                                      "aten::clone",
                                                                      "aten::alias",
                                                                      "aten::view",
                                                                      "aten::reshape",
                                                                      "aten::flatten",
                                                                      "aten::dropout",
                                                                      "aten::layer_norm",
                                                                      "aten::rsub",
                                                                      "aten::float",
                                                                      "aten::_autocast_to_reduced_precision",
                                                                      "aten::_autocast_to_full_precision"};
  while (kRowTransforms.count(value->node()->kind().toQualString()) != 0) {
    const auto inputs = value->node()->inputs();
    const auto comes_from_input = [&](Value* v) { return from_input.count(v) != 0; };
    const auto next = std::find_if(inputs.begin(), inputs.end(), comes_from_input);
    if (next == inputs.end()) break;
    const auto kind = value->node()->kind();
    const bool mixes = kind == torch::jit::aten::add || kind == torch::jit::aten::mul;
    if (mixes && std::count_if(inputs.begin(), inputs.end(), comes_from_input) > 1) break;
    value = *next;
  }
  return value;
}

bool is_graph_input(Graph& graph, Value* value) {
  return std::find(graph.inputs().begin(), graph.inputs().end(), value) != graph.inputs().end();
}

// What makes the code sparse, from the operations between encoder and decoder; "" if nothing does.
std::string activation_between(Graph& graph, const Values& after_encoder, const WeightProduct& decoder) {
  struct Kind {
    std::string_view operation;
    std::string_view name;
  };
  static constexpr std::array kKinds = {
      Kind{"aten::topk", "TopK"},          Kind{"aten::gt", "JumpReLU"}, Kind{"aten::ge", "JumpReLU"},
      Kind{"aten::heaviside", "JumpReLU"}, Kind{"aten::lt", "JumpReLU"}, Kind{"aten::le", "JumpReLU"},
      Kind{"aten::threshold", "JumpReLU"}, Kind{"aten::relu", "ReLU"},   Kind{"aten::relu_", "ReLU"},
      Kind{"aten::clamp_min", "ReLU"},     Kind{"aten::clamp", "ReLU"},  Kind{"aten::maximum", "ReLU"}};
  std::size_t best = kKinds.size();
  const auto visit = [&](auto& self, Block* block) -> void {
    for (Node* node : block->nodes()) {
      for (Block* inner : node->blocks()) self(self, inner);
      const bool between = std::any_of(node->inputs().begin(), node->inputs().end(),
                                       [&](Value* v) { return after_encoder.count(v) != 0; });
      if (!between) continue;
      const std::string_view kind = node->kind().toQualString();
      for (std::size_t i = 0; i < best; ++i) {
        if (kKinds[i].operation == kind && downstream_of(graph, node->outputs()).count(decoder.activation())) best = i;
      }
    }
  };
  visit(visit, graph.block());
  return best < kKinds.size() ? std::string(kKinds[best].name) : "";
}

// Another product with another weight stands behind the decoder: then this is a layer of something deeper.
bool is_last_product(const Values& after_decoder, const WeightProduct& decoder,
                     const std::vector<WeightProduct>& products) {
  return std::none_of(products.begin(), products.end(), [&](const WeightProduct& other) {
    return after_decoder.count(other.activation()) != 0 && !other.weight.tensor.is_same(decoder.weight.tensor);
  });
}

// A parameter that is used three times or more has its gradient summed from as many terms, and a tap may change their
// order, because it splits the part of the graph that TorchScript differentiates as a whole: the last bit could differ.
// Two terms sum alike in either order. Returns the name of such a parameter, or "".
std::string parameter_with_many_uses(Block* block, const c10::ivalue::Object& self,
                                     std::map<std::string, std::size_t>& uses) {
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) {
      auto found = parameter_with_many_uses(inner, self, uses);
      if (!found.empty()) return found;
    }
    if (node->kind() != torch::jit::prim::GetAttr || !node->output()->type()->isSubtypeOf(*c10::TensorType::get()))
      continue;
    const auto parameter = weight_operand(node->output(), self);
    if (!parameter || !parameter->tensor.requires_grad()) continue;
    if ((uses[parameter->path] += node->output()->uses().size()) >= 3) return parameter->path;
  }
  return "";
}

// Cheap questions first: a language model has hundreds of pairs, and nearly all fail the first.
void judge(Graph& graph, const c10::ivalue::Object& self, FeatureSite& site, const Values& after_encoder,
           const Values& after_decoder, const std::vector<WeightProduct>& products) {
  if (!is_graph_input(graph, site.rows)) {
    site.reason = "the encoder reads a value made inside a larger module";
    return;
  }
  if (!is_last_product(after_decoder, site.decoder, products)) {
    site.reason = "the decoder's output enters another weight";
    return;
  }
  if (site.width() <= site.encoder.in) {
    site.reason = "the code is not wider than the input";
    return;
  }
  site.worth_naming = true;
  site.activation = activation_between(graph, after_encoder, site.decoder);
  std::map<std::string, std::size_t> uses;
  const auto shared = parameter_with_many_uses(graph.block(), self, uses);
  if (site.activation.empty()) {
    site.reason = "nothing seen between encoder and decoder makes the code sparse";
  } else if (2 * site.decoder.out < site.encoder.in) {
    site.reason = site.activation + ", but the output is much narrower than the input, as a classifier's";
  } else if (!shared.empty()) {
    site.reason = site.activation + ", but " + shared +
                  " is used three times or more: a tap might change its gradient's last bit";
  } else {
    site.certain = true;
    site.reason = site.activation + ", certain";
  }
}

// Two pairs with different decoders that both look certain cannot be told apart: then neither is.
void settle(std::vector<FeatureSite>& sites) {
  const auto uncertain =
      std::stable_partition(sites.begin(), sites.end(), [](const FeatureSite& s) { return s.certain; });
  if (std::distance(sites.begin(), uncertain) < 2) return;
  const auto& first = sites.front();
  const bool same = std::all_of(sites.begin(), uncertain, [&](const FeatureSite& s) {
    return s.decoder.weight.tensor.is_same(first.decoder.weight.tensor);
  });
  for (auto it = sites.begin() + (same ? 1 : 0); it != uncertain; ++it) {
    it->certain = false;
    it->reason = same ? "decodes a second time with the same decoder" : "several pairs look like an SAE";
  }
}

}  // namespace

std::vector<FeatureSite> find_feature_sites(Graph& graph, const c10::ivalue::Object& self) {
  const auto from_input = downstream_of(graph, graph.inputs().slice(1));
  std::vector<WeightProduct> products;
  collect_products(graph.block(), self, from_input, products);

  std::vector<Values> after;  // of each product
  for (const auto& product : products) after.push_back(downstream_of(graph, product.node->outputs()));

  std::vector<FeatureSite> sites;
  for (std::size_t e = 0; e < products.size(); ++e) {
    for (std::size_t d = 0; d < products.size(); ++d) {
      const auto& [encoder, decoder] = std::tie(products[e], products[d]);
      if (encoder.out != decoder.in || after[e].count(decoder.activation()) == 0) continue;
      if (!reaches_return(graph, after[d])) continue;
      FeatureSite site;
      site.encoder = encoder;
      site.decoder = decoder;
      site.features = decoder.activation();
      site.rows = rows_before(encoder.activation(), from_input);
      judge(graph, self, site, after[e], after[d], products);
      sites.push_back(std::move(site));
    }
  }
  settle(sites);
  return sites;
}

}  // namespace saetap::hooks

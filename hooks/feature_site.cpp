#include "hooks/feature_site.h"

#include <torch/csrc/jit/passes/lower_tuples.h>

#include <algorithm>
#include <map>

#include "hooks/site_candidate.h"

namespace saetap::hooks {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

namespace {

void collect_products(Block* block, GraphView& view) {
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) collect_products(inner, view);
    auto product = weight_product(node, view.scope);
    if (!product || view.from_input.count(product->activation) == 0) continue;
    view.product_nodes.insert(node);
    view.products.push_back(std::move(*product));
  }
}

// Of a decoder that reads a part of the features with a part of its weight: all the features, before casts of the part.
Value* before_slices(Value* value) {
  while (true) {
    auto* part = without_casts(value);
    if (!is_one_of(part->node(), {"aten::slice", "aten::narrow", "prim::ListUnpack", "aten::__getitem__", "aten::split",
                                  "aten::split_with_sizes", "aten::chunk"})) {
      return value;
    }
    value = part->node()->input(0);
  }
}

// The node to tap before: a loop's body runs several times, and must not be counted so.
Node* outside_loops(Node* node, const std::vector<const Value*>& read, bool& in_loop) {
  for (Node* outer = node->owningBlock()->owningNode(); outer != nullptr; outer = outer->owningBlock()->owningNode()) {
    if (outer->kind() != torch::jit::prim::Loop) continue;
    in_loop = std::any_of(read.begin(), read.end(), [&](const Value* v) { return !visible_at(v, outer); });
    if (in_loop) return node;
    node = outer;
  }
  return node;
}

std::size_t first_output_reached(const Graph& graph, const Values& reached) {
  std::vector<const Value*> returned(graph.outputs().begin(), graph.outputs().end());
  if (returned.size() == 1 && is_one_of(returned[0]->node(), {"prim::TupleConstruct"})) {
    const auto elements = returned[0]->node()->inputs();
    returned.assign(elements.begin(), elements.end());
  }
  const auto first = std::find_if(returned.begin(), returned.end(), [&](const Value* v) { return reached.count(v); });
  return first == returned.end() ? std::numeric_limits<std::size_t>::max()
                                 : static_cast<std::size_t>(first - returned.begin());
}

// What the decoder is, as far as it can be said without the encoder.
void describe_decoder(FeatureSite& site, const WeightProduct& decoder, const Scope& scope) {
  site.features = decoder.row_width;
  site.groups = decoder.layout.groups * (decoder.layout.in / decoder.row_width);
  site.d_out = decoder.layout.out;
  site.feature_axis = decoder.in_axis;
  site.group_axis = site.groups > 1 ? decoder.group_axis : std::nullopt;
  site.decoder = decoder.weight.path;
  site.operation = decoder.operation;
  site.decoder_attribute = decoder.weight.attribute;
  if (decoder.weight.attribute.empty()) site.decoder_constant = decoder.weight.tensor;
  site.decoder_layout = decoder.layout;
  site.decoder_layout.in = site.features;
  site.decoder_layout.groups = site.groups;
  site.decoder_normalised = decoder.weight.normalised;
  const auto owner = decoder.weight.owner != nullptr ? object_at(decoder.weight.owner, scope) : std::nullopt;
  if (owner) site.module_path = owner->path;
}

bool makes_coo(const Value* value) {
  return is_one_of(value->node(), {"aten::sparse_coo_tensor", "aten::to_sparse", "aten::coalesce", "aten::_coalesce"});
}

void set_point(Candidate& candidate) {
  const auto& decoder = *candidate.decoder;
  TapPoint point;
  point.owner = decoder.weight.owner;
  point.values = decoder.weight.sliced ? before_slices(decoder.activation) : decoder.activation;
  if (decoder.scales == nullptr) point.dense = point.values;
  // A stack of pairs is read as what it is scattered into: that has the axis that tells its layers apart.
  const auto scattered = candidate.site.groups > 1 ? std::nullopt : scattered_pair(point.values);
  const auto pair =
      decoder.scales != nullptr ? CodePair{decoder.scales, decoder.activation} : scattered.value_or(CodePair{});
  if (pair.values != nullptr && visible_at(pair.values, decoder.node) && visible_at(pair.indices, decoder.node)) {
    candidate.site.form = CodeForm::pair;
    candidate.site.distinct_pairs = is_one_of(without_casts(pair.indices)->node(), {"aten::topk"});
    point.values = pair.values;
    point.indices = pair.indices;
  } else if (makes_coo(point.values)) {
    candidate.site.form = CodeForm::coo;
  }
  std::vector<const Value*> read{point.values};
  if (point.indices != nullptr) read.push_back(point.indices);
  point.before = outside_loops(decoder.node, read, candidate.site.repeats);
  if (visible_at(candidate.rows, point.before)) point.rows = candidate.rows;
  // An owner made later than the point, as it is in a loop: the tap does without.
  if (point.owner != nullptr && !(visible_at(point.owner, point.before))) point.owner = nullptr;
  candidate.site.points = {point};
}

bool fits(const WeightProduct& encoder, const FeatureSite& site) {
  return encoder.layout.out == site.features || encoder.layout.out == site.features * site.groups;
}

std::optional<Candidate> candidate_of(const WeightProduct& decoder, const GraphView& view) {
  Candidate candidate;
  candidate.decoder = &decoder;
  describe_decoder(candidate.site, decoder, view.scope);
  auto stops = view.product_nodes;
  stops.erase(decoder.node);
  auto between = upstream_of(decoder.activation, decoder.node, stops);
  if (decoder.scales != nullptr) {
    auto more = upstream_of(decoder.scales, decoder.node, stops);
    between.nodes.merge(more.nodes);
    between.stopped_at.merge(more.stopped_at);
  }
  for (const auto& product : view.products) {
    if (between.stopped_at.count(product.node) == 0 || !fits(product, candidate.site)) continue;
    // Of several (a router, a condition), the first that reads rows as wide as are written.
    const bool as_wide = product.row_width == decoder.layout.out;
    const bool better = candidate.encoder != nullptr && as_wide && candidate.encoder->row_width != decoder.layout.out;
    if (candidate.encoder == nullptr || better) candidate.encoder = &product;
  }
  if (candidate.encoder == nullptr) return std::nullopt;
  const auto& encoder = *candidate.encoder;
  auto& graph = *view.scope.graph;
  const auto after_encoder = downstream_of(graph, encoder.node->outputs());
  candidate.maker = code_maker(between.nodes, after_encoder);
  candidate.mixes_rows = mixes_rows(between.nodes, after_encoder, view.product_nodes);
  candidate.site.activation = candidate.maker.name;
  candidate.site.encoder = encoder.weight.path;
  candidate.site.d_in = encoder.row_width;
  candidate.rows = rows_before(encoder.activation, view.from_input);
  candidate.first_output = first_output_reached(graph, downstream_of(graph, decoder.node->outputs()));
  set_point(candidate);
  candidate.code = without_casts(candidate.site.points[0].values);
  return candidate;
}

// Sites that would be called alike get a number, in the order of the graph, whatever is thought of them later.
void name_value(FeatureSite& site, std::map<std::string, int>& seen) {
  const int ordinal = ++seen[site.decoder];
  site.value = site.decoder;
  if (ordinal > 1) site.value.append("#").append(std::to_string(ordinal));
}

}  // namespace

std::string name_of(CodeForm form) {
  return form == CodeForm::pair ? "pair" : form == CodeForm::coo ? "coo" : "dense";
}

GraphView view_of(const Scope& scope) {
  std::vector<Value*> given;
  for (auto* input : scope.graph->inputs()) {
    if (scope.inputs.count(input) == 0) given.push_back(input);
  }
  GraphView view{scope, downstream_of(*scope.graph, given), {}, {}};
  collect_products(scope.graph->block(), view);
  return view;
}

std::vector<FeatureSite> find_feature_sites(const std::shared_ptr<Graph>& graph, const c10::ivalue::Object& self) {
  torch::jit::LowerSimpleTuples(graph);
  std::vector<FeatureSite> sites;
  std::map<std::string, int> names;
  for (const auto& scope : scopes_of(*graph, self)) {
    const auto view = view_of(scope);
    std::vector<Candidate> candidates;
    for (const auto& product : view.products) {
      auto candidate = candidate_of(product, view);
      if (!candidate || candidate->first_output == std::numeric_limits<std::size_t>::max()) continue;
      name_value(candidate->site, names);
      judge(*candidate, view);
      candidates.push_back(std::move(*candidate));
    }
    auto found = settle(std::move(candidates));
    sites.insert(sites.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
    const bool encodes_only = sites.empty() && scope.graph == graph.get();
    if (auto returned = encodes_only ? returned_code(view, self) : std::nullopt) sites.push_back(std::move(*returned));
  }
  const auto rank = [](const FeatureSite& site) { return site.certain ? 2 : site.worth_naming ? 1 : 0; };
  std::stable_sort(sites.begin(), sites.end(),
                   [&](const FeatureSite& a, const FeatureSite& b) { return rank(a) > rank(b); });
  return sites;
}

}  // namespace saetap::hooks

// A method that encodes and returns its code has no decoder: another method of the same module has it.
#include <algorithm>

#include "hooks/site_candidate.h"

namespace saetap::hooks {

using torch::jit::Graph;
using torch::jit::Value;

namespace {

std::vector<Value*> returned_tensors(Graph& graph) {
  std::vector<Value*> returned(graph.outputs().begin(), graph.outputs().end());
  if (returned.size() == 1 && is_one_of(returned[0]->node(), {"prim::TupleConstruct", "prim::DictConstruct"})) {
    const auto elements = returned[0]->node()->inputs();
    returned.assign(elements.begin(), elements.end());
  }
  returned.erase(std::remove_if(returned.begin(), returned.end(),
                                [](Value* v) { return !v->type()->isSubtypeOf(*c10::TensorType::get()); }),
                 returned.end());
  return returned;
}

// Whether the method decodes a code [.., F], one that it is given or one that it made with the same encoder; then
// `site` gets the decoder.
bool take_decoder(torch::jit::Function& method, const c10::ivalue::Object& self, const at::Tensor& encoder,
                  FeatureSite& site) {
  const auto graph = graph_of(method);
  if (graph == nullptr) return false;
  const auto scopes = scopes_of(*graph, self);
  const auto view = view_of(scopes.front());
  for (const auto& product : view.products) {
    auto others = view.product_nodes;
    others.erase(product.node);
    const auto before = upstream_of(product.activation, product.node, others).stopped_at;
    const bool decodes = std::all_of(view.products.begin(), view.products.end(), [&](const WeightProduct& other) {
      return before.count(other.node) == 0 || other.weight.tensor.is_same(encoder);
    });
    if (!decodes || product.row_width != site.features || product.layout.in != site.features) continue;
    site.decoder = site.decoder_attribute = product.weight.path;
    if (product.weight.attribute.empty()) {
      site.decoder_attribute.clear();
      site.decoder_constant = product.weight.tensor;
    }
    site.d_out = product.layout.out;
    site.decoder_layout = product.layout;
    site.decoder_normalised = product.weight.normalised;
    return true;
  }
  return false;
}

// Whether the method makes a sparser code with the same encoder: then what is returned is not yet the code.
bool goes_on(torch::jit::Function& method, const c10::ivalue::Object& self, const at::Tensor& encoder) {
  const auto graph = graph_of(method);
  if (graph == nullptr) return false;
  const auto scopes = scopes_of(*graph, self);
  const auto view = view_of(scopes.front());
  Nodes all;
  for (auto* output : graph->outputs()) all.merge(upstream_of(output, graph->return_node(), {}).nodes);
  return std::any_of(view.products.begin(), view.products.end(), [&](const WeightProduct& product) {
    return product.weight.tensor.is_same(encoder) &&
           code_maker(all, downstream_of(*graph, product.node->outputs())).strong;
  });
}

// Sets `site.certain` and the decoder, if another method has it; says why.
std::string certainty(FeatureSite& site, const WeightProduct& encoder, const CodeMaker& maker,
                      const c10::ivalue::Object& self) {
  const auto& weight = encoder.weight.tensor;
  const auto methods = self.type()->methods();
  if (site.groups > 1) return maker.name + ", but it is a stack: what decodes it has to be hooked";
  const bool decoded = std::any_of(methods.begin(), methods.end(),
                                   [&](auto* method) { return take_decoder(*method, self, weight, site); });
  if (!decoded) return maker.name + ", but no other method of the module decodes it";
  if (2 * site.d_out < site.d_in)
    return maker.name + ", but the output is much narrower than the input, as a classifier's";
  const bool unfinished = !maker.strong && std::any_of(methods.begin(), methods.end(),
                                                       [&](auto* method) { return goes_on(*method, self, weight); });
  if (unfinished) return maker.name + ", but another method makes a sparser code of it";
  site.certain = true;
  return maker.name + ", decoded by another method, certain";
}

// Of the returned values, those that are the code: pairs if a top-k's indices are returned beside its values.
void set_point(FeatureSite& site, Value* code, const std::vector<Value*>& returned, Graph& graph) {
  TapPoint point;
  point.before = graph.return_node();
  point.values = code;
  if (const auto pair = scattered_pair(code)) {
    site.form = CodeForm::pair;
    point.values = pair->values;
    point.indices = pair->indices;
  }
  for (auto* other : returned) {
    const bool indices = is_one_of(other->node(), {"aten::topk"}) && other->offset() == 1;
    if (!indices || site.form == CodeForm::pair) continue;
    const auto from = upstream_of(code, graph.return_node(), {});
    if (from.nodes.count(other->node()) == 0 || is_one_of(code->node(), {"aten::scatter", "aten::scatter_"})) continue;
    site.form = CodeForm::pair;
    point.indices = other;
  }
  site.points = {point};
}

}  // namespace

std::optional<FeatureSite> returned_code(const GraphView& view, const c10::ivalue::Object& self) {
  auto& graph = *view.scope.graph;
  const auto returned = returned_tensors(graph);
  for (auto* code : returned) {
    const auto before = upstream_of(code, graph.return_node(), view.product_nodes);
    const auto encoder = std::find_if(view.products.begin(), view.products.end(), [&](const WeightProduct& product) {
      return before.stopped_at.count(product.node) != 0 && product.layout.out > product.row_width;
    });
    if (encoder == view.products.end() || before.stopped_at.count(code->node()) != 0) continue;
    auto* rows = rows_before(encoder->activation, view.from_input);
    const auto after = downstream_of(graph, encoder->node->outputs());
    const auto maker = code_maker(before.nodes, after);
    const bool is_indices = is_one_of(code->node(), {"aten::topk"}) && code->offset() == 1;
    if (maker.name.empty() || is_indices || !is_given(rows)) continue;
    if (mixes_rows(before.nodes, after, view.product_nodes)) continue;  // a reconstruction, by a weight not understood
    FeatureSite site;
    site.value = "return";
    site.encoder = encoder->weight.path;
    site.operation = "return";
    site.activation = maker.name;
    site.features = encoder->layout.out;
    site.d_in = site.d_out = encoder->row_width;
    site.groups = encoder->layout.groups;
    set_point(site, code, returned, graph);
    site.points[0].rows = rows;
    site.worth_naming = true;
    site.reason = certainty(site, *encoder, maker, self);
    return site;
  }
  return std::nullopt;
}

}  // namespace saetap::hooks

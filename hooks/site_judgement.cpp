// Which pairs of products are an SAE or a transcoder, and which only look like one.
#include <algorithm>

#include "hooks/site_candidate.h"

namespace saetap::hooks {

using torch::jit::Node;
using torch::jit::Value;

bool same_parameter(const WeightProduct& a, const WeightProduct& b) {
  if (a.weight.tensor.is_same(b.weight.tensor)) return true;
  if (a.weight.owner != nullptr || b.weight.owner != nullptr) return false;
  const auto left = a.layout.matrices(a.weight.tensor);
  const auto right = b.layout.matrices(b.weight.tensor);
  if (!left.defined() || !right.defined() || left.scalar_type() != right.scalar_type()) return false;
  return (left.sizes() == right.sizes() && at::equal(left, right)) ||
         (left.sizes() == right.mT().sizes() && at::equal(left, right.mT()));
}

namespace {

// Another product with another weight reads what the decoder made: then this is a layer of something deeper.
bool enters_another_weight(const Candidate& candidate, const GraphView& view) {
  const auto& decoder = *candidate.decoder;
  const auto after = downstream_of(*view.scope.graph, decoder.node->outputs());
  return std::any_of(view.products.begin(), view.products.end(), [&](const WeightProduct& other) {
    return after.count(other.activation) != 0 && !same_parameter(other, decoder);
  });
}

bool is_statistic(const Value* value) {
  return is_one_of(value->node(), {"aten::mean", "aten::std", "aten::var", "aten::norm", "aten::linalg_vector_norm",
                                   "aten::sqrt", "aten::sum", "aten::var_mean", "aten::std_mean", "aten::clamp_min"});
}

// Calls f with every addition that the decoder's output enters, through what keeps its rows, and what else it adds.
template <typename F>
void for_each_sum(const Candidate& candidate, const F& f) {
  std::vector<const Value*> open{candidate.decoder->node->output(0)};
  Values seen;
  while (!open.empty()) {
    const Value* value = open.back();
    open.pop_back();
    if (!seen.insert(value).second) continue;
    for (const auto& use : value->uses()) {
      const bool adds = is_one_of(use.user, {"aten::add", "aten::add_"});
      if (adds) f(use.user->output(), use.user->input(use.offset == 0 ? 1 : 0));
      if (adds || is_one_of(use.user, {"aten::view", "aten::reshape", "aten::dropout", "aten::to", "aten::mul"})) {
        open.push_back(use.user->output());
      }
    }
  }
}

std::vector<const Value*> added_to_output(const Candidate& candidate) {
  std::vector<const Value*> added;
  for_each_sum(candidate, [&](const Value*, const Value* other) { added.push_back(other); });
  return added;
}

Values sums_with_output(const Candidate& candidate) {
  Values sums;
  for_each_sum(candidate, [&](const Value* sum, const Value*) { sums.insert(sum); });
  return sums;
}

// The output is added to the very rows that the encoder read, as a feed-forward block's is to its residual stream.
bool added_back_to_rows(const Candidate& candidate, const GraphView& view) {
  const auto given = upstream_of(candidate.encoder->activation, candidate.encoder->node, view.product_nodes).values;
  const auto added = added_to_output(candidate);
  return std::any_of(added.begin(), added.end(), [&](const Value* other) {
    return given.count(other) != 0 && view.from_input.count(other) != 0 && !is_statistic(other);
  });
}

// A second weight leads from the same rows straight to the output.
bool has_linear_skip(const Candidate& candidate, const GraphView& view) {
  const auto added = added_to_output(candidate);
  return std::any_of(view.products.begin(), view.products.end(), [&](const WeightProduct& product) {
    const bool joins_output = std::find(added.begin(), added.end(), product.node->output(0)) != added.end();
    return joins_output && rows_before(product.activation, view.from_input) == candidate.rows;
  });
}

// Whether the code reaches what is returned by a way other than a weight: it is returned itself, or enters a loss.
bool code_is_used_otherwise(const Candidate& candidate, const GraphView& view) {
  std::vector<const Value*> open{candidate.code};
  Values seen;
  while (!open.empty()) {
    const Value* value = open.back();
    open.pop_back();
    if (!seen.insert(value).second) continue;
    for (const auto& use : value->uses()) {
      if (view.product_nodes.count(use.user) != 0) continue;
      if (use.user->kind() != torch::jit::prim::Return) {
        open.insert(open.end(), use.user->outputs().begin(), use.user->outputs().end());
        continue;
      }
      const Node* outer = use.user->owningBlock()->owningNode();
      if (outer == nullptr) return true;
      const auto skipped = use.user->inputs().size() - outer->outputs().size();
      if (use.offset >= skipped) open.push_back(outer->outputs()[use.offset - skipped]);
    }
  }
  return false;
}

bool subtracts_a_bias(const Candidate& candidate, const GraphView& view) {
  const auto before = upstream_of(candidate.encoder->activation, candidate.encoder->node, view.product_nodes);
  return std::any_of(before.nodes.begin(), before.nodes.end(), [&](const Node* node) {
    if (!is_one_of(node, {"aten::sub"})) return false;
    return view.from_input.count(node->input(1)) == 0 && node->input(1)->type()->isSubtypeOf(*c10::TensorType::get());
  });
}

// Autoencoders read a feature along nearly the direction they write it in, from their initialisation on.
bool reads_as_it_writes(const Candidate& candidate) {
  constexpr std::int64_t kSample = 64;
  constexpr double kAkin = 0.3;
  const at::NoGradGuard no_grad;
  const auto encoder = candidate.encoder->layout.matrices(candidate.encoder->weight.tensor);
  const auto decoder = candidate.site.decoder_layout.matrices(candidate.decoder->weight.tensor);
  if (!encoder.defined() || !decoder.defined()) return false;
  if (encoder.size(0) != decoder.size(0) || encoder.size(1) != decoder.size(2) || encoder.size(2) != decoder.size(1)) {
    return false;
  }
  const auto sampled = std::min<std::int64_t>(kSample, encoder.size(2));
  const auto read = encoder[0].slice(1, 0, sampled).t().to(at::kCPU, at::kFloat);
  const auto written = decoder[0].slice(0, 0, sampled).to(at::kCPU, at::kFloat);
  return at::cosine_similarity(read, written, 1).median().item<double>() > kAkin;
}

// Several layers are written from one code, as by a crosscoder or a cross-layer transcoder.
bool decoded_by_several(const Candidate& candidate, const GraphView& view) {
  return std::any_of(view.products.begin(), view.products.end(), [&](const WeightProduct& other) {
    if (other.row_width != candidate.site.features || other.node == candidate.decoder->node) return false;
    const bool same_code = same_value(without_casts(other.activation), candidate.code);
    const bool same_weight =
        same_parameter(other, *candidate.decoder) && other.weight.selected == candidate.decoder->weight.selected;
    return same_code && !same_weight;
  });
}

// What tells a sparse autoencoder with a plain ReLU from a feed-forward block; "" if nothing does.
std::string evidence(const Candidate& candidate, const GraphView& view) {
  if (same_parameter(*candidate.encoder, *candidate.decoder)) return "tied weights";
  if (candidate.decoder->weight.normalised) return "normalised decoder";
  if (subtracts_a_bias(candidate, view)) return "pre-bias";
  if (candidate.decoder->weight.dims.size() > 2 && candidate.site.groups == 1) return "several layers written at once";
  if (has_linear_skip(candidate, view)) return "linear skip path";
  if (decoded_by_several(candidate, view)) return "decoded by several weights";
  if (code_is_used_otherwise(candidate, view)) return "code used outside the decoder";
  if (reads_as_it_writes(candidate)) return "encoder and decoder directions akin";
  return "";
}

void refuse(FeatureSite& site, bool worth_naming, std::string reason) {
  site.certain = false;
  site.worth_naming = worth_naming;
  site.reason = (site.activation.empty() ? "" : site.activation + ", but ") + std::move(reason);
}

}  // namespace

// Cheap questions first: a language model has hundreds of pairs, and nearly all fail the first ones.
void judge(Candidate& candidate, const GraphView& view) {
  auto& site = candidate.site;
  const auto& maker = candidate.maker;
  const bool wider = site.features > site.d_in;
  if (candidate.mixes_rows) return refuse(site, false, "rows are mixed between encoder and decoder");
  if (maker.smooth && !maker.strong) return refuse(site, false, "a smooth activation, as feed-forward blocks have");
  if (!wider) return refuse(site, maker.strong, "the code is not wider than the input");
  const bool deeper = enters_another_weight(candidate, view);
  if (deeper && !(maker.strong && !evidence(candidate, view).empty())) {
    return refuse(site, maker.strong, "the decoder's output enters another weight, as a layer's inside a model");
  }
  const bool given = is_given(candidate.rows);
  if (maker.name.empty()) return refuse(site, given, "nothing seen between encoder and decoder makes the code sparse");
  const auto out_width = site.d_out / std::max<std::int64_t>(1, candidate.encoder->layout.in / site.d_in);
  if (2 * out_width < site.d_in)
    return refuse(site, true, "the output is much narrower than the input, as a classifier's");
  if (site.repeats) return refuse(site, true, "it runs in a loop, several times a call");
  if (added_back_to_rows(candidate, view)) {
    return refuse(site, maker.strong, "the output is added back to the input, as a feed-forward block's");
  }
  const auto proof = maker.plain || deeper ? evidence(candidate, view) : std::string();
  if (maker.plain && proof.empty() && !given) {
    return refuse(site, true, "it stands inside a larger module and might be a feed-forward block");
  }
  if (maker.plain && proof.empty()) {
    candidate.only_looks_alike = true;
    return refuse(site, true, "two layers with a ReLU: a feed-forward block looks the same");
  }
  site.certain = site.worth_naming = true;
  site.reason = site.activation + (proof.empty() ? "" : ", " + proof) + ", certain";
}

namespace {

bool share_decoder(const Candidate& a, const Candidate& b) {
  return a.decoder->weight.selected == b.decoder->weight.selected && same_parameter(*a.decoder, *b.decoder);
}

// The better of two that share a decoder or a code: an auxiliary loss often detaches its decoder, and returns later.
bool better(const Candidate& a, const Candidate& b) {
  const auto key = [](const Candidate& c) {
    return std::tuple(!c.site.certain, c.decoder->weight.detached, c.first_output);
  };
  return key(a) < key(b);
}

bool same_shape(const FeatureSite& a, const FeatureSite& b) {
  return a.features == b.features && a.groups == b.groups && a.d_out == b.d_out && a.feature_axis == b.feature_axis &&
         a.group_axis == b.group_axis;
}

// Reads what the decoder is given where one branch has pairs and another has not.
bool make_dense(FeatureSite& site) {
  if (site.form != CodeForm::pair) return true;
  for (auto& point : site.points) {
    if (point.dense == nullptr) return false;
    point.values = point.dense;
    point.indices = nullptr;
  }
  site.form = CodeForm::dense;
  return true;
}

// Both codes are decoded into one sum: parts of one reconstruction, not a reconstruction and an auxiliary one.
bool add_up(const Candidate& a, const Candidate& b) {
  const auto one = sums_with_output(a), other = sums_with_output(b);
  return std::any_of(one.begin(), one.end(), [&](const Value* sum) { return other.count(sum) != 0; });
}

// Why it is not clear which of two codes with one decoder are the features; "" if the first are. An auxiliary code is
// decoded later, from the same rows, into something else.
std::string doubt_between(const Candidate& first, const Candidate& other) {
  if (add_up(first, other)) return "two codes are decoded into one sum with the same decoder";
  if (!same_value(first.rows, other.rows)) return "the same encoder and decoder are applied to other rows as well";
  if (other.decoder->weight.detached || first.decoder->node->isBefore(other.decoder->node)) return "";
  return "another code was decoded before it with the same decoder";
}

// Takes `other` into `site` as another branch's point. False if both may run in one call.
bool joins(FeatureSite& site, FeatureSite other) {
  const auto& before = other.points.front().before;
  const bool apart = std::all_of(site.points.begin(), site.points.end(),
                                 [&](const TapPoint& point) { return exclude_each_other(point.before, before); });
  if (!apart || !same_shape(site, other)) return false;
  if (site.form != other.form && !(make_dense(site) && make_dense(other) && site.form == other.form)) return false;
  site.points.push_back(other.points.front());
  return true;
}

}  // namespace

// The layers of a cross-layer transcoder stand and fall together: the last one alone looks like a feed-forward block.
void follow_siblings(std::vector<Candidate>& candidates) {
  for (auto& candidate : candidates) {
    if (!candidate.only_looks_alike) continue;
    const bool has_sibling = std::any_of(candidates.begin(), candidates.end(), [&](const Candidate& other) {
      return other.site.certain && other.site.features == candidate.site.features &&
             other.site.d_in == candidate.site.d_in && other.site.operation == candidate.site.operation;
    });
    if (!has_sibling) continue;
    candidate.site.certain = true;
    candidate.site.reason = candidate.site.activation + ", like the others beside it, certain";
  }
}

std::vector<FeatureSite> settle(std::vector<Candidate> candidates) {
  follow_siblings(candidates);
  std::stable_sort(candidates.begin(), candidates.end(), better);
  std::vector<Candidate> kept;
  for (auto& candidate : candidates) {
    const auto rival = std::find_if(kept.begin(), kept.end(), [&](const Candidate& k) {
      return same_value(k.code, candidate.code) || share_decoder(k, candidate);
    });
    if (rival == kept.end()) {
      kept.push_back(std::move(candidate));
      continue;
    }
    if (joins(rival->site, candidate.site) || same_value(rival->code, candidate.code)) continue;
    const auto doubt = rival->site.certain && candidate.site.certain ? doubt_between(*rival, candidate) : std::string();
    if (!doubt.empty()) refuse(rival->site, true, doubt);
    candidate.site.certain = false;
    candidate.site.worth_naming = !doubt.empty();
    candidate.site.reason = "decodes a second time with the same decoder";
    kept.push_back(std::move(candidate));
  }
  std::vector<FeatureSite> sites;
  for (auto& candidate : kept) sites.push_back(std::move(candidate.site));
  return sites;
}

}  // namespace saetap::hooks

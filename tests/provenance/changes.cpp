#include "tests/provenance/changes.h"

namespace saetap::testing {

namespace {

at::Tensor layer_norm(const at::Tensor& rows) {
  return at::layer_norm(rows, {rows.size(-1)});
}

// Every row's partner is another row.
at::Tensor others(const at::Tensor& rows) {
  const auto order = at::randperm(rows.size(0), at::kLong);
  return rows.index_select(0, at::empty_like(order).scatter_(0, order, order.roll(1)));
}

at::Tensor unit_norm(const at::Tensor& rows) {
  return rows / rows.norm(2, {-1}, true);
}

}  // namespace

std::vector<Change> changes_of(const at::Tensor& sample) {
  using Kind = Change::Kind;
  const auto mean = sample.mean(0);
  const auto spread = sample.std(0);
  // As SAE libraries scale: the mean norm becomes the root of the width.
  const auto scale = std::sqrt(static_cast<double>(sample.size(1))) / sample.norm(2, {-1}).mean().item<double>();
  auto generator = at::make_generator<at::CPUGeneratorImpl>(11);
  const auto weight = at::exp(0.4 * at::randn({sample.size(1)}, generator));
  const auto bias = 0.3 * at::randn({sample.size(1)}, generator);
  return {
      {"not changed", Kind::exact, [](const at::Tensor& x) { return x; }},
      {"to float64", Kind::exact, [](const at::Tensor& x) { return x.to(at::kDouble); }},
      {"float16", Kind::changed, [](const at::Tensor& x) { return x.to(at::kHalf); }},
      {"bfloat16", Kind::changed, [](const at::Tensor& x) { return x.to(at::kBFloat16); }},
      {"scaled", Kind::changed, [=](const at::Tensor& x) { return x * scale; }},
      {"centred", Kind::changed, [=](const at::Tensor& x) { return x - mean; }},
      {"layer norm", Kind::changed, [](const at::Tensor& x) { return layer_norm(x); }},
      {"unit norm", Kind::changed, [](const at::Tensor& x) { return unit_norm(x); }},
      {"bfloat16, centred, scaled, bfloat16", Kind::changed,
       [=](const at::Tensor& x) { return ((x.to(at::kBFloat16).to(at::kFloat) - mean) * scale).to(at::kBFloat16); }},
      {"centred, unit norm", Kind::changed, [=](const at::Tensor& x) { return unit_norm(x - mean); }},
      {"centred, layer norm, float16", Kind::changed,
       [=](const at::Tensor& x) { return layer_norm(x - mean).to(at::kHalf); }},
      {"layer norm, unit norm, bfloat16", Kind::changed,
       [](const at::Tensor& x) { return unit_norm(layer_norm(x)).to(at::kBFloat16); }},
      {"each dimension standardised", Kind::changed, [=](const at::Tensor& x) { return (x - mean) / spread; }},
      {"layer norm with weight and bias", Kind::changed,
       [=](const at::Tensor& x) { return layer_norm(x) * weight + bias; }},
      {"dropout 0.1", Kind::guess, [](const at::Tensor& x) { return x * at::rand_like(x).ge(0.1) / 0.9; }},
      {"nine parts of a row and one of another", Kind::guess,
       [](const at::Tensor& x) { return 0.9 * x + 0.1 * others(x); }},
      {"half of two rows", Kind::guess, [](const at::Tensor& x) { return 0.5 * x + 0.5 * others(x); }},
  };
}

}  // namespace saetap::testing

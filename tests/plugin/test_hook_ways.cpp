// Every way in which a program gets to an SAE's forward: the hook is called once, by that instance alone.
#include <doctest/doctest.h>

#include "tests/plugin/hook_witness.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

torch::jit::Module relu_sae() {
  return sae_module("ReluSAE", kReluSource, 8, 32);
}

torch::jit::Module behind_interface(const torch::jit::Module& sae) {
  const auto interface = c10::InterfaceType::create("RowsToRowsAndCode", true);
  const auto tensor = c10::TensorType::get();
  interface->addMethod({"forward",
                        "",
                        {c10::Argument("self", interface), c10::Argument("x", tensor)},
                        {c10::Argument("", c10::TupleType::create({tensor, tensor}))}});
  torch::jit::Module host("InterfaceHost");
  host.register_attribute("sae", interface, sae._ivalue());
  host.define("def forward(self, x):\n    return self.sae.forward(x)\n");
  return host;
}

// A forward that runs the SAE's in a prim::fork; module.define() has no word for it.
torch::jit::Module behind_fork(const torch::jit::Module& sae) {
  auto host = holder("ForkingModel", {{"sae", sae}}, "def forked(self, x):\n    return self.sae.forward(x)\n");
  const auto forked = host.get_method("forked").graph()->copy();
  auto graph = std::make_shared<torch::jit::Graph>();
  auto* self = graph->addInput("self")->setType(host.type());
  auto* x = graph->addInput("x");
  auto* fork = graph->insertNode(graph->create(torch::jit::prim::fork, {self, x}, 1));
  fork->g_(torch::jit::attr::Subgraph, forked);
  fork->output()->setType(c10::FutureType::create(forked->outputs()[0]->type()));
  graph->registerOutput(graph->insert(torch::jit::aten::wait, {fork->output()}));
  const auto type = host.type();
  type->addMethod(type->compilation_unit()->create_function(c10::QualifiedName(*type->name(), "forward"), graph));
  return host;
}

}  // namespace

TEST_CASE("forward, operator(), run_method, get_method and the bare function are all seen, once each") {
  auto sae = relu_sae();
  HookWitness witness;
  const auto hook = register_forward_hook(sae, {}, witness.callback());
  const auto x = at::randn({5, 8});
  std::vector<at::Tensor> features;
  const auto keep = [&](const c10::IValue& returned) {
    features.push_back(returned.toTuple()->elements()[1].toTensor());
  };
  // The bare function first: calls that pass the observer by are seen because registering attaches.
  torch::jit::Stack stack{sae._ivalue(), x};
  function_of(sae).run(stack);
  keep(stack.back());
  keep(sae.forward({x}));
  keep(sae({x}));
  keep(sae.run_method("forward", x));
  keep(sae.get_method("forward")({x}));
  const auto copy = sae;  // another handle of the same object
  keep(copy.get_method("forward")({x}));
  REQUIRE(witness.calls.size() == features.size());
  for (std::size_t i = 0; i < features.size(); ++i) CHECK(at::equal(witness.calls[i].activations, features[i]));
}

TEST_CASE("an SAE called inside a bigger module is seen, and so is what is taken out of it") {
  auto sae = relu_sae();
  auto inner = holder("Wrapper", {{"sae", sae}}, "def forward(self, x):\n    return self.sae.forward(x)\n");
  auto outer = holder("Model", {{"hook_point", inner}},
                      "def forward(self, x):\n    return self.hook_point.forward(torch.tanh(x))\n");
  HookWitness witness;
  const auto hook = register_forward_hook(sae, {}, witness.callback());
  const auto x = at::randn({5, 8});
  std::vector<at::Tensor> rows{at::tanh(x), at::tanh(x), x, x};
  std::vector<at::Tensor> features{run(outer, x, 1), run(outer, x, 1), run(inner, x, 1)};
  auto taken_out = outer.attr("hook_point").toModule().attr("sae").toModule();
  features.push_back(run(taken_out, x, 1));
  REQUIRE(witness.calls.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(at::equal(witness.calls[i].activations, features[i]));
    CHECK(at::equal(witness.calls[i].rows, rows[i]));
    CHECK(witness.calls[i].owner == sae._ivalue().get());
    CHECK(witness.calls[i].site.value == "W_dec");
    CHECK(witness.calls[i].step == i);
  }
}

TEST_CASE("a hook on a bigger module sees its SAE inside it, not called alone") {
  auto sae = relu_sae();
  auto outer = holder("Model", {{"sae", sae}}, "def forward(self, x):\n    return self.sae.forward(x)\n");
  HookWitness witness;
  const auto hook = register_forward_hook(outer, {}, witness.callback());
  CHECK(hook.sites().at(0).decoder == "sae.W_dec");
  const auto features = run(outer, at::randn({5, 8}), 1);
  REQUIRE(witness.calls.size() == 1);
  CHECK(at::equal(witness.calls[0].activations, features));
  CHECK(witness.calls[0].owner == sae._ivalue().get());
}

TEST_CASE("another method of the module that calls the hooked one is seen") {
  auto sae = relu_sae();
  sae.define(R"(
def loss(self, x):
    reconstruction, features = self.forward(x)
    return (reconstruction - x).pow(2).mean(), features
)");
  auto outer = holder("Trainer", {{"sae", sae}}, "def forward(self, x):\n    return self.sae.loss(x)\n");
  HookWitness witness;
  const auto hook = register_forward_hook(sae, {}, witness.callback());
  const auto x = at::randn({5, 8});
  const auto direct = sae.run_method("loss", x).toTuple()->elements()[1].toTensor();
  REQUIRE(witness.calls.size() == 1);
  CHECK(at::equal(witness.calls[0].activations, direct));
  run(outer, x, 1);
  CHECK(witness.calls.size() == 2);
}

TEST_CASE("of two SAEs in one object only the named one is seen, wherever it is called from") {
  auto sae = sae_module("TwoInOne", R"(
def forward(self, x):
    features = torch.relu(torch.matmul(x - self.b_dec, self.W_enc) + self.b_enc)
    others = torch.relu(torch.matmul(x - self.b_dec, self.other_W_enc))
    return torch.matmul(features, self.W_dec), features, torch.matmul(others, self.other_W_dec), others
)",
                        8, 32, 0, {"other_W_enc", "other_W_dec"});
  auto outer = holder("Model", {{"sae", sae}}, "def forward(self, x):\n    return self.sae.forward(x)\n");
  HookWitness witness, other;
  const auto hook = register_forward_hook(sae, {"forward", "W_dec"}, witness.callback());
  const auto other_hook = register_forward_hook(sae, {"forward", "other_W_dec"}, other.callback());
  for (std::size_t i = 0; i < 2; ++i) {
    const auto returned = (i == 0 ? sae : outer).forward({at::randn({5, 8})}).toTuple()->elements();
    REQUIRE(witness.calls.size() == i + 1);
    REQUIRE(other.calls.size() == i + 1);
    CHECK(at::equal(witness.calls[i].activations, returned[1].toTensor()));
    CHECK(at::equal(other.calls[i].activations, returned[3].toTensor()));
  }
}

TEST_CASE("a hook on encode does not keep a hook on a model that calls it from being called") {
  auto sae = sae_module("SAE", kEncodeDecodeSource, 8, 32);
  auto outer = holder("Model", {{"sae", sae}}, R"(
def encode(self, x):
    return self.sae.encode(x)
def decode(self, features):
    return self.sae.decode(features)
)");
  int of_sae = 0;
  HookWitness of_outer;
  const auto hook = register_forward_hook(sae, {"encode", ""}, [&](const HookEvent&) { ++of_sae; });
  const auto outer_hook = register_forward_hook(outer, {"encode", ""}, of_outer.callback());
  const auto features = outer.run_method("encode", at::randn({5, 8})).toTensor();
  REQUIRE(of_outer.calls.size() == 1);
  CHECK(at::equal(of_outer.calls[0].activations, features));
  sae.run_method("encode", at::randn({5, 8}));
  CHECK(of_sae >= 1);
}

TEST_CASE("of three instances of one class only the hooked one is seen") {
  const auto original = relu_sae();
  const std::vector<torch::jit::Module> saes{original.deepcopy(), original.deepcopy(), original.deepcopy()};
  REQUIRE(*saes[0].type() == *saes[1].type());
  auto model = holder("ThreeSAEs", {{"first", saes[0]}, {"second", saes[1]}, {"third", saes[2]}}, R"(
def forward(self, x):
    a, first = self.first.forward(x)
    b, second = self.second.forward(x * 2.0)
    c, third = self.third.forward(x * 3.0)
    return first, second, third, a + b + c
)");
  HookWitness witness;
  const auto hook = register_forward_hook(saes[1], {}, witness.callback());
  for (auto sae : saes) run(sae, at::randn({5, 8}), 1);
  REQUIRE(witness.calls.size() == 1);
  const auto second = run(model, at::randn({5, 8}), 1);
  REQUIRE(witness.calls.size() == 2);
  CHECK(at::equal(witness.calls[1].activations, second));
  CHECK(witness.calls[1].owner == saes[1]._ivalue().get());
}

TEST_CASE("a frozen copy is a module of its own, and is hooked like any other") {
  const auto sae = relu_sae();
  auto constants = frozen(sae);
  HookWitness of_original, of_frozen;
  const auto hook = register_forward_hook(sae, {}, of_original.callback());
  const auto frozen_hook = register_forward_hook(constants, {}, of_frozen.callback());
  const auto features = run(constants, at::randn({5, 8}), 1);
  REQUIRE(of_frozen.calls.size() == 1);
  CHECK(at::equal(of_frozen.calls[0].activations, features));
  CHECK(of_original.calls.empty());
}

TEST_CASE("an SAE behind an interface type is seen from the first call on, and from either side") {
  auto sae = relu_sae();
  auto host = behind_interface(sae);
  HookWitness of_sae, of_host;
  const auto x = at::randn({5, 8});
  SUBCASE("hooked itself") {
    const auto hook = register_forward_hook(sae, {}, of_sae.callback());
    const auto features = run(host, x, 1);
    REQUIRE(of_sae.calls.size() == 1);
    CHECK(at::equal(of_sae.calls[0].activations, features));
  }
  SUBCASE("hooked by its host") {
    const auto hook = register_forward_hook(host, {}, of_host.callback());
    const auto features = run(host, x, 1);
    REQUIRE(of_host.calls.size() == 1);
    CHECK(at::equal(of_host.calls[0].activations, features));
    CHECK(of_host.calls[0].owner == sae._ivalue().get());
  }
}

TEST_CASE("an SAE that runs inside fork is seen, hooked itself or by its host") {
  auto sae = relu_sae();
  auto host = behind_fork(sae);
  HookWitness of_sae, of_host;
  const auto hook = register_forward_hook(sae, {}, of_sae.callback());
  const auto host_hook = register_forward_hook(host, {}, of_host.callback());
  for (std::size_t i = 0; i < 4; ++i) {
    const auto features = run(host, at::randn({5, 8}), 1);
    REQUIRE(of_sae.calls.size() == i + 1);
    REQUIRE(of_host.calls.size() == i + 1);
    CHECK(at::equal(of_sae.calls[i].activations, features));
    CHECK(at::equal(of_host.calls[i].activations, features));
  }
}

// Feature sites are found from the graph, without names, and nothing else is taken for one.
#include <doctest/doctest.h>

#include <memory>

#include "hooks/feature_site.h"
#include "tests/plugin/script_modules.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

std::vector<hooks::FeatureSite> sites_of(torch::jit::Module& module, std::shared_ptr<torch::jit::Graph>& graph) {
  auto& function = torch::jit::toGraphFunction(module.get_method("forward").function());
  graph = function.optimized_graph()->copy();
  return hooks::find_feature_sites(*graph, *module._ivalue());
}

void check_certain(torch::jit::Module module, const std::string& activation, const std::string& decoder) {
  std::shared_ptr<torch::jit::Graph> graph;
  const auto sites = sites_of(module, graph);
  REQUIRE_FALSE(sites.empty());
  const auto& site = sites.front();
  CHECK(site.certain);
  CHECK(site.activation == activation);
  CHECK(site.decoder.weight.path == decoder);
  CHECK(site.encoder.in == 8);
  CHECK(site.width() == 32);
  CHECK(site.rows == graph->inputs()[1]);
  CHECK(std::count_if(sites.begin(), sites.end(), [](const auto& s) { return s.certain; }) == 1);
}

bool finds_nothing_certain(torch::jit::Module module) {
  std::shared_ptr<torch::jit::Graph> graph;
  const auto sites = sites_of(module, graph);
  return std::none_of(sites.begin(), sites.end(), [](const auto& site) { return site.certain; });
}

}  // namespace

TEST_CASE("the decoder's operand is found in ReLU, TopK, JumpReLU and tied SAEs") {
  check_certain(sae_module("ReluSAE", kReluSource, 8, 32), "ReLU", "W_dec");
  check_certain(sae_module("TopKSAE", kTopKSource, 8, 32), "TopK", "W_dec");
  check_certain(sae_module("JumpReluSAE", kJumpReluSource, 8, 32), "JumpReLU", "W_dec");
  check_certain(sae_module("TiedSAE", kTiedSource, 8, 32), "ReLU", "W_enc");
}

TEST_CASE("a transcoder may be wider on one side") {
  auto module = sae_module("Transcoder", R"(
def forward(self, x):
    return torch.matmul(torch.relu(torch.matmul(x, self.W_enc)), self.W_dec) + self.b_dec
)",
                           8, 32, 12);
  std::shared_ptr<torch::jit::Graph> graph;
  const auto sites = sites_of(module, graph);
  REQUIRE(sites.size() == 1);
  CHECK(sites[0].certain);
  CHECK(sites[0].decoder.out == 12);
  CHECK_FALSE(sites[0].decoder.weight.transposed);
}

TEST_CASE("the weights of a frozen module are constants, and still found") {
  auto module = sae_module("TopKSAE", kTopKSource, 8, 32);
  module.register_attribute("training", c10::BoolType::get(), false);
  auto frozen = torch::jit::freeze(module);
  std::shared_ptr<torch::jit::Graph> graph;
  const auto sites = sites_of(frozen, graph);
  REQUIRE_FALSE(sites.empty());
  CHECK(sites.front().certain);
  CHECK(sites.front().decoder.weight.owner == nullptr);
  CHECK(at::equal(sites.front().decoder.weight.tensor, module.attr("W_dec").toTensor()));
}

TEST_CASE("an SAE inside a module that does nothing is found with its own decoder") {
  auto inner = sae_module("ReluSAE", kReluSource, 8, 32);
  torch::jit::Module outer("Wrapper");
  outer.register_module("sae", inner);
  outer.define("def forward(self, x):\n    return self.sae.forward(x)\n");
  check_certain(outer, "ReLU", "sae.W_dec");
}

TEST_CASE("what is no SAE gets no site") {
  // A transformer's feed-forward block looks like a transcoder to a careless rule.
  CHECK(finds_nothing_certain(sae_module("GeluBlock", R"(
def forward(self, x):
    return torch.matmul(torch.gelu(torch.matmul(x, self.W_enc)), self.W_dec)
)",
                                         8, 32)));
  CHECK(finds_nothing_certain(sae_module("NarrowAutoencoder", R"(
def forward(self, x):
    return torch.matmul(torch.relu(torch.matmul(x, self.W_enc)), self.W_dec)
)",
                                         32, 8)));
  CHECK(finds_nothing_certain(sae_module("Classifier", R"(
def forward(self, x):
    hidden = torch.relu(torch.matmul(x, self.W_enc))
    return torch.softmax(torch.matmul(torch.relu(torch.matmul(hidden, self.W_dec)), self.W_enc), -1)
)",
                                         8, 32)));
  CHECK(finds_nothing_certain(sae_module("Identity", "def forward(self, x):\n    return x\n", 8, 32)));
  // A residual stream is no row that was given to us.
  CHECK(finds_nothing_certain(sae_module("ResidualReluLayer", R"(
def forward(self, x):
    mixed = x + torch.softmax(torch.matmul(x, x.t()), -1).mm(x)
    return mixed + torch.matmul(torch.relu(torch.matmul(mixed, self.W_enc)), self.W_dec)
)",
                                         8, 32)));
  CHECK(finds_nothing_certain(sae_module("TwoLayerClassifier", R"(
def forward(self, x):
    return torch.matmul(torch.relu(torch.matmul(x, self.W_enc)), self.W_dec)
)",
                                         32, 64, 4)));
  // The same block behind attention-like mixing: its input is made inside the model.
  CHECK(finds_nothing_certain(sae_module("ReluLayer", R"(
def forward(self, x):
    mixed = torch.softmax(torch.matmul(x, x.t()), -1).mm(x)
    return torch.matmul(torch.relu(torch.matmul(mixed, self.W_enc)), self.W_dec)
)",
                                         8, 32)));
}

TEST_CASE("a decoder at the end of a branch is found") {
  check_certain(sae_module("BranchSAE", R"(
def forward(self, x, scale: float = 1.0):
    features = torch.relu(torch.matmul(x, self.W_enc))
    if scale > 0.5:
        reconstruction = torch.matmul(features, self.W_dec)
    else:
        reconstruction = x
    return reconstruction
)",
                           8, 32),
                "ReLU", "W_dec");
}

TEST_CASE(
    "a parameter used three times keeps a module untapped, with the reason: its gradient's last bit might change") {
  auto module = sae_module("GatedSAE", R"(
def forward(self, x):
    gate = torch.relu(torch.matmul(x - self.b_dec, self.W_enc) + self.b_enc)
    auxiliary = torch.matmul(gate, self.W_dec) + self.b_dec
    return torch.matmul(gate, self.W_dec) + self.b_dec, auxiliary
)",
                           8, 32);
  std::shared_ptr<torch::jit::Graph> graph;
  const auto sites = sites_of(module, graph);
  REQUIRE_FALSE(sites.empty());
  CHECK_FALSE(sites.front().certain);
  CHECK(sites.front().worth_naming);
  CHECK(sites.front().reason.find("b_dec is used three times") != std::string::npos);
}

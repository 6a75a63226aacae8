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
  return hooks::find_feature_sites(graph, *module._ivalue());
}

void check_certain(torch::jit::Module module, const std::string& activation, const std::string& decoder) {
  std::shared_ptr<torch::jit::Graph> graph;
  const auto sites = sites_of(module, graph);
  REQUIRE_FALSE(sites.empty());
  const auto& site = sites.front();
  CHECK(site.certain);
  CHECK(site.activation == activation);
  CHECK(site.decoder == decoder);
  CHECK(site.d_in == 8);
  CHECK(site.features == 32);
  REQUIRE(site.points.size() == 1);
  CHECK(site.points[0].rows == graph->inputs()[1]);
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
    features = torch.relu(torch.matmul(x, self.W_enc))
    return torch.matmul(features, self.W_dec) + self.b_dec, features
)",
                           8, 32, 12);
  std::shared_ptr<torch::jit::Graph> graph;
  const auto sites = sites_of(module, graph);
  REQUIRE(sites.size() == 1);
  CHECK(sites[0].certain);
  CHECK(sites[0].d_out == 12);
  const auto weight = module.attr("W_dec").toTensor();
  CHECK(at::equal(sites[0].decoder_layout.matrices(weight), weight.unsqueeze(0)));
}

TEST_CASE("two layers with a ReLU and nothing else are named, and not hooked: a feed-forward block looks the same") {
  for (const auto d_out : {8, 12}) {
    auto module = sae_module("TwoLayers", R"(
def forward(self, x):
    return torch.matmul(torch.relu(torch.matmul(x, self.W_enc)), self.W_dec) + self.b_dec
)",
                             8, 96, d_out);
    std::shared_ptr<torch::jit::Graph> graph;
    const auto sites = sites_of(module, graph);
    REQUIRE(sites.size() == 1);
    CHECK_FALSE(sites[0].certain);
    CHECK(sites[0].worth_naming);
    CHECK(sites[0].value == "W_dec");
  }
}

TEST_CASE("the weights of a frozen module are constants, and still found") {
  const auto module = sae_module("TopKSAE", kTopKSource, 8, 32);
  auto constants = frozen(module);
  std::shared_ptr<torch::jit::Graph> graph;
  const auto sites = sites_of(constants, graph);
  REQUIRE_FALSE(sites.empty());
  CHECK(sites.front().certain);
  CHECK(sites.front().decoder_attribute.empty());
  CHECK(at::equal(sites.front().decoder_constant, module.attr("W_dec").toTensor()));
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

TEST_CASE("a feed-forward block is no site, however its activation is written") {
  const auto block = [](const std::string& activation) {
    return sae_module("Block",
                      "def forward(self, x):\n    h = torch.matmul(x, self.W_enc)\n    h = " + activation +
                          "\n    return torch.matmul(h, self.W_dec)\n",
                      8, 32);
  };
  CHECK(finds_nothing_certain(block("torch.relu(h)")));
  CHECK(finds_nothing_certain(block("torch.clamp(h, min=0.0)")));
  CHECK(finds_nothing_certain(block("torch.clamp(h, -1.0, 1.0)")));
  CHECK(finds_nothing_certain(block("torch.maximum(h, torch.zeros_like(h))")));
  CHECK(finds_nothing_certain(block("h / h.abs().max()")));
  CHECK(finds_nothing_certain(block("torch.where(h > 0.0, h, 0.01 * h)")));
  CHECK(finds_nothing_certain(block("torch.gelu(h) * (torch.rand_like(h) > 0.1)")));
  CHECK(finds_nothing_certain(block("torch.exp(h - h.max(-1, True)[0])")));
}

TEST_CASE("a mask that sets to zero makes a sparse code") {
  const auto sae = [](const std::string& activation) {
    return sae_module("SAE",
                      "def forward(self, x):\n    h = torch.matmul(x, self.W_enc)\n    h = " + activation +
                          "\n    return torch.matmul(h, self.W_dec)\n",
                      8, 32);
  };
  check_certain(sae("h * (h > 0.5)"), "JumpReLU", "W_dec");
  check_certain(sae("torch.where(h > 0.5, h, torch.zeros_like(h))"), "JumpReLU", "W_dec");
  check_certain(sae("h.masked_fill(h < 0.5, 0.0)"), "JumpReLU", "W_dec");
}

TEST_CASE("a decoder at the end of a branch is found") {
  check_certain(sae_module("BranchSAE", R"(
def forward(self, x, scale: float = 1.0):
    features = torch.relu(torch.matmul(x - self.b_dec, self.W_enc))
    if scale > 0.5:
        reconstruction = torch.matmul(features, self.W_dec)
    else:
        reconstruction = x
    return reconstruction
)",
                           8, 32),
                "ReLU", "W_dec");
}

TEST_CASE("a gated SAE is a site, though a parameter of it is used three times") {
  check_certain(sae_module("GatedSAE", kGatedSource, 8, 32), "JumpReLU", "W_dec");
}

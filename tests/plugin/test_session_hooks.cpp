// What the config says of sites: `hooks` settles which are recorded, `activation_scale` what an activation is.
#include <doctest/doctest.h>

#include "tests/plugin/session_witness.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

// Sites that a session with this config records of a module, and the features it was shown.
struct Recorded {
  std::shared_ptr<Witness> witness;
  SessionFacts facts;
};

Recorded record(Config config, torch::jit::Module module, const std::vector<at::Tensor>& inputs,
                const std::string& method = "forward") {
  Recorded recorded;
  auto* session = new Session(std::move(config), "test");  // never destroyed, as in a process
  recorded.witness = add_witness(*session);
  session->start();
  for (const auto& x : inputs) module.run_method(method, x);
  recorded.facts = session->facts();
  session->finish();
  return recorded;
}

// How the sums that were shown compare with those of the features as a matrix [rows, F].
void check_sums(const SeenBatch& batch, const at::Tensor& features) {
  const auto sums = features.to(at::kDouble).sum(0);
  for (int64_t f = 0; f < kFeatures; ++f) {
    CHECK(batch.sums[static_cast<std::size_t>(f)].sum == doctest::Approx(sums[f].item<double>()));
  }
}

torch::jit::Module feed_forward() {
  return sae_module("FeedForward", kFeedForwardSource, kWidth, kFeatures);
}

}  // namespace

TEST_CASE("a module that is not certain is named and not recorded, until the config settles it") {
  const Folder folder;
  const auto x = at::randn({20, kWidth});
  const auto unsettled = record(config_for(folder), feed_forward(), {x});
  CHECK(unsettled.witness->attached().empty());
  REQUIRE(unsettled.facts.uncertain.size() == 1);
  CHECK(unsettled.facts.uncertain[0].find("FeedForward › forward") != std::string::npos);

  auto module = feed_forward();
  const auto features = at::relu(at::matmul(x, module.attr("W_enc").toTensor())).detach();
  for (const auto& rule : std::vector<HookRule>{{"FeedForward", "forward", "W_dec"}, {"", "", "W_dec"}}) {
    auto config = config_for(folder);
    config.hooks = {rule};
    const auto settled = record(config, module, {x});
    CHECK(settled.witness->attached() == std::vector<std::string>{"FeedForward.forward.48"});
    REQUIRE(settled.witness->batches().size() == 1);
    check_sums(settled.witness->batches()[0], features);
  }
}

TEST_CASE("a rule for another module or method, or for a value that is not there, hooks nothing") {
  const Folder folder;
  const auto x = at::randn({20, kWidth});
  for (const auto& rule : std::vector<HookRule>{
           {"Other", "forward", "W_dec"}, {"FeedForward", "encode", "W_dec"}, {"FeedForward", "forward", "W_out"}}) {
    auto config = config_for(folder);
    config.hooks = {rule};
    CHECK(record(config, feed_forward(), {x}).witness->attached().empty());
  }
}

TEST_CASE("the value \"none\" leaves a certain module alone, and others not") {
  const Folder folder;
  const auto x = at::randn({20, kWidth});
  auto config = config_for(folder);
  config.hooks = {{"ReluSAE", "", kHookNothing}};
  const auto left_alone = record(config, sae_module("ReluSAE", kReluSource, kWidth, kFeatures), {x});
  CHECK(left_alone.witness->attached().empty());
  CHECK(left_alone.witness->batches().empty());
  CHECK(left_alone.facts.uncertain.empty());
  const auto other = record(config, sae_module("TopKSAE", kTopKSource, kWidth, kFeatures), {x});
  CHECK(other.witness->attached() == std::vector<std::string>{"TopKSAE.forward.48"});
}

TEST_CASE("a rule chooses one of several certain sites") {
  const Folder folder;
  auto config = config_for(folder);
  config.hooks = {{"Pair", "forward", "second.W_dec"}};
  torch::jit::Module pair("Pair");
  pair.register_module("first", sae_module("ReluSAE", kReluSource, kWidth, kFeatures));
  pair.register_module("second", sae_module("JumpReluSAE", kJumpReluSource, kWidth, kFeatures));
  pair.define(R"(
def forward(self, x):
    a, first = self.first.forward(x)
    b, second = self.second.forward(x)
    return a + b, second
)");
  const auto x = at::randn({20, kWidth});
  const auto recorded = record(config, pair, {x});
  CHECK(recorded.witness->attached() == std::vector<std::string>{"Pair.second.forward.48"});
  REQUIRE(recorded.witness->batches().size() == 1);
  check_sums(recorded.witness->batches()[0], run(pair, x, 1).detach());
}

TEST_CASE(
    "activation_scale decoder_norm multiplies by the norms of the decoder's directions as they are in that step") {
  for (const auto* source : {kReluSource, kTopKSource, kTiedSource}) {
    const Folder folder;
    auto config = config_for(folder);
    config.activation_scale = ActivationScale::decoder_norm;
    auto sae = sae_module("SAE", source, kWidth, kFeatures);
    const bool tied = std::string(source) == kTiedSource;
    auto decoder = tied ? sae.attr("W_enc").toTensor().detach().t() : sae.attr("W_dec").toTensor().detach();
    auto* session = new Session(config, "test");
    const auto witness = add_witness(*session);
    session->start();
    for (std::size_t step = 0; step < 3; ++step) {
      decoder.mul_(1.7);  // in place, as a trainer does
      const auto features = run(sae, at::randn({20, kWidth}), 1).detach();
      REQUIRE(witness->batches().size() == step + 1);
      const auto scaled = features * decoder.norm(2, 1);
      check_sums(witness->batches()[step], scaled);
      std::size_t at_least = 0;
      for (const auto& candidate : witness->batches()[step].candidates)
        at_least += candidate.activation >= 0.5f ? 1 : 0;
      CHECK(at_least == static_cast<std::size_t>(scaled.ge(0.5).sum().item<int64_t>()));
    }
    session->finish();
  }
}

TEST_CASE("without the key activations are what enters the decoder") {
  const Folder folder;
  auto sae = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
  sae.attr("W_dec").toTensor().detach().mul_(3.0);
  const auto x = at::randn({20, kWidth});
  const auto features = run(sae, x, 1).detach();
  const auto recorded = record(config_for(folder), sae, {x});
  REQUIRE(recorded.witness->batches().size() == 1);
  check_sums(recorded.witness->batches()[0], features);
}

TEST_CASE("a stack of top-k codes is a site for each layer, each with its own rows and sums") {
  const Folder folder;
  constexpr int64_t kLayers = 3;
  torch::manual_seed(19);
  torch::jit::Module stack("StackedTopK");
  stack.register_parameter("W_enc", at::randn({kLayers, kWidth, kFeatures}) / 4, false);
  stack.register_parameter("W_dec", at::randn({kLayers, kFeatures, kWidth}) / 4, false);
  stack.define(R"(
def forward(self, x):
    pre = torch.einsum("lnd,ldf->lnf", [x, self.W_enc])
    values, indices = torch.topk(torch.relu(pre), 5, -1)
    features = torch.zeros_like(pre).scatter(-1, indices, values)
    return torch.einsum("lnf,lfd->lnd", [features, self.W_dec])
)");
  const auto x = at::randn({kLayers, 7, kWidth});
  const auto recorded = record(config_for(folder), stack, {x});
  REQUIRE(recorded.witness->attached().size() == kLayers);
  REQUIRE(recorded.witness->batches().size() == kLayers);
  const auto pre = at::relu(at::einsum("lnd,ldf->lnf", {x, stack.attr("W_enc").toTensor()}));
  const auto top = pre.topk(5, -1);
  const auto features = at::zeros_like(pre).scatter(-1, std::get<1>(top), std::get<0>(top));
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    const auto& batch = recorded.witness->batches()[static_cast<std::size_t>(layer)];
    CHECK(batch.eligible == 7);
    CHECK(recorded.witness->attached()[static_cast<std::size_t>(layer)] ==
          "StackedTopK.forward.48[" + std::to_string(layer) + "]");
    check_sums(batch, features[layer]);
  }
}

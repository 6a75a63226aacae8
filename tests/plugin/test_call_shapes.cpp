// A session under trainers as people write them: what they save, which methods they call, what else they script.
#include <doctest/doctest.h>

#include "tests/plugin/session_witness.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

// A session with a witness, ended with its scope.
struct Recording {
  Recording()
      : session(new Session(config_for(folder), "test")),
        witness(add_witness(*session)) {  // never destroyed, as in a process
    session->start();
  }
  ~Recording() { session->finish(); }

  Folder folder;
  Session* session;
  std::shared_ptr<Witness> witness;
};

void check_sums(const SeenBatch& batch, const at::Tensor& features) {
  const auto sums = features.detach().reshape({-1, kFeatures}).to(at::kDouble).sum(0);
  for (int64_t f = 0; f < kFeatures; ++f) {
    CHECK(batch.sums[static_cast<std::size_t>(f)].sum == doctest::Approx(sums[f].item<double>()));
  }
}

// Takes the module by value and saves it whenever the loss improves; returns the last checkpoint.
std::string best_of_training(torch::jit::Module sae, const at::Tensor& x, int steps) {
  double best = 1e9;
  std::string checkpoint;
  for (int step = 0; step < steps; ++step) {
    const auto loss = (run(sae, x, 0) - x).pow(2).mean();
    loss.backward();
    {
      const at::NoGradGuard no_grad;
      for (const auto& parameter : sae.parameters()) {
        parameter.sub_(parameter.grad(), 0.5);
        parameter.mutable_grad().reset();
      }
    }
    if (loss.item<double>() >= best) continue;
    best = loss.item<double>();
    checkpoint = saved_bytes(sae);
  }
  return checkpoint;
}

std::string code_of(const torch::jit::Module& module) {
  std::string code;
  for (const auto& method : module.get_methods()) code += method.graph()->toString();
  return code;
}

}  // namespace

TEST_CASE("a trainer that takes the module by value and saves the best: clean checkpoints, and the copy goes on") {
  const auto x = at::randn({24, kWidth});
  const auto plain = best_of_training(sae_module("ReluSAE", kReluSource, kWidth, kFeatures), x, 6);
  const Recording recording;
  std::string checkpoint;
  {
    auto sae = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
    checkpoint = best_of_training(sae, x, 6);
  }
  CHECK(recording.witness->batches().size() == 6);
  CHECK(checkpoint.size() == plain.size());
  auto copy = loaded(checkpoint);
  auto plain_copy = loaded(plain);
  CHECK(code_of(copy).find("saetap") == std::string::npos);
  CHECK(code_of(copy) == code_of(plain_copy));
  for (const auto& parameter : plain_copy.named_parameters()) {
    CHECK(at::equal(copy.attr(parameter.name).toTensor(), parameter.value));
  }
  const auto features = run(copy, x, 1);
  REQUIRE(recording.session->sites().size() == 1);
  CHECK(recording.session->sites()[0].second.steps == 7);
  REQUIRE(recording.witness->batches().size() == 7);
  CHECK(recording.witness->batches()[6].step == 6);
  check_sums(recording.witness->batches()[6], features);
}

TEST_CASE("encode and decode called as methods of their own: the features are what encode returns, seen once") {
  const Recording recording;
  auto sae = sae_module("SplitSAE", kEncodeDecodeSource, kWidth, kFeatures);
  for (std::size_t step = 0; step < 4; ++step) {
    const auto features = sae.run_method("encode", at::randn({12, kWidth})).toTensor();
    const auto loss = sae.run_method("decode", features).toTensor().pow(2).mean();
    loss.backward();
    REQUIRE(recording.witness->batches().size() == step + 1);
    CHECK(recording.witness->batches()[step].step == step);
    check_sums(recording.witness->batches()[step], features);
  }
  CHECK(recording.witness->attached() == std::vector<std::string>{"SplitSAE.encode.48"});
}

TEST_CASE("losses that are script modules are not hooked, whatever they compute") {
  const Recording recording;
  auto sae = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
  torch::jit::Module mean_square("MeanSquare");
  mean_square.define("def forward(self, recon, x):\n    return (recon - x).pow(2).mean()\n");
  torch::jit::Module whitened("WhitenedLoss");  // two products, as an SAE has
  whitened.register_parameter("whiten", at::randn({kWidth, kFeatures}), false);
  whitened.register_parameter("back", at::randn({kFeatures, kWidth}), false);
  whitened.define(R"(
def forward(self, recon, x):
    return torch.matmul(torch.relu(torch.matmul(recon - x, self.whiten)), self.back).pow(2).mean()
)");
  torch::jit::Module next_token("NextTokenLoss");  // integers [batch, length], as a language model takes
  next_token.define(R"(
def forward(self, logits, targets):
    return torch.nll_loss(torch.log_softmax(logits, -1), targets.view([-1]))
)");
  for (int step = 0; step < 4; ++step) {
    const auto x = at::randn({12, kWidth});
    const auto recon = run(sae, x, 0);
    auto loss = mean_square.forward({recon, x}).toTensor() + whitened.forward({recon, x}).toTensor();
    loss = loss + next_token.forward({recon, at::randint(0, kWidth, {3, 4}, at::kLong)}).toTensor();
    loss.backward();
    CHECK(loss.item<double>() == loss.item<double>());
  }
  CHECK(recording.witness->attached() == std::vector<std::string>{"ReluSAE.forward.48"});
  CHECK(recording.witness->batches().size() == 4);
  CHECK(sae.attr("W_dec").toTensor().grad().defined());
}

TEST_CASE("a module switched between train() and eval() for every call: phases are right, and so are steps") {
  const Recording recording;
  auto sae = with_training(sae_module("ReluSAE", kReluSource, kWidth, kFeatures));
  std::vector<Phase> expected;
  for (int i = 0; i < 4; ++i) {
    sae.train();
    run(sae, at::randn({6, kWidth}), 0);
    sae.eval();
    {
      const at::NoGradGuard no_grad;
      run(sae, at::randn({6, kWidth}), 0);
    }
    run(sae, at::randn({6, kWidth}), 0);  // in eval mode with gradients, as an attribution does: a step, no training
    expected.insert(expected.end(), {Phase::train, Phase::eval, Phase::eval});
  }
  std::vector<Phase> phases;
  std::vector<std::uint64_t> steps;
  for (const auto& batch : recording.witness->batches()) {
    phases.push_back(batch.phase);
    steps.push_back(batch.step);
  }
  CHECK((phases == expected));
  CHECK(steps == std::vector<std::uint64_t>{0, 0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7});
}

TEST_CASE("loaded, trained, freed and loaded again in one process: the site goes on, another SAE gets an ordinal") {
  const auto x = at::randn({24, kWidth});
  const Recording recording;
  auto bytes = saved_bytes(sae_module("ReluSAE", kReluSource, kWidth, kFeatures));
  for (int round = 0; round < 3; ++round) bytes = best_of_training(loaded(bytes), x, 5);
  auto sites = recording.session->sites();
  REQUIRE(sites.size() == 1);
  CHECK(sites[0].first.name == "ReluSAE.forward.48");
  CHECK(sites[0].second.steps == 15);
  CHECK(sites[0].second.calls == 15);
  CHECK(sites[0].second.rows_seen == 15 * 24);

  auto from_another_seed = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
  from_another_seed.attr("W_dec").toTensor().detach().normal_();
  const auto other = saved_bytes(from_another_seed);
  for (int round = 0; round < 2; ++round) best_of_training(loaded(other), x, 2);
  sites = recording.session->sites();
  REQUIRE(sites.size() == 2);
  CHECK(sites[1].first.name == "ReluSAE.forward.48#1");
  CHECK(sites[1].second.steps == 4);
  CHECK(sites[0].second.steps == 15);
}

TEST_CASE("one SAE on each of several layers of a model, in one forward: a site each, with its own features") {
  const Recording recording;
  const auto sae = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
  torch::jit::Module model("Model");
  for (const auto* name : {"first", "second", "third"}) model.register_module(name, sae.deepcopy());
  model.register_parameter("layer", at::randn({kWidth, kWidth}) / 4.0, false);
  model.define(R"(
def forward(self, x):
    a, first = self.first.forward(x)
    h = torch.tanh(torch.matmul(x, self.layer))
    b, second = self.second.forward(h)
    h = torch.tanh(torch.matmul(h, self.layer))
    c, third = self.third.forward(h)
    return h, a, b, c, first, second, third
)");
  for (std::size_t step = 0; step < 2; ++step) {
    const auto returned = model.forward({at::randn({2, 5, kWidth})}).toTuple()->elements().vec();
    const auto& batches = recording.witness->batches();
    REQUIRE(batches.size() == 3 * (step + 1));
    for (std::size_t layer = 0; layer < 3; ++layer) {
      check_sums(batches[3 * step + layer], returned[4 + layer].toTensor());
      CHECK(batches[3 * step + layer].step == step);
      CHECK(batches[3 * step + layer].eligible == 10);
    }
  }
  CHECK(recording.witness->attached() ==
        std::vector<std::string>{"Model.first.forward.48", "Model.second.forward.48", "Model.third.forward.48"});
}

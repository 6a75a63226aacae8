// The public hook API: what a callback is shown, which site is chosen, and what a handle does.
#include <doctest/doctest.h>

#include <optional>

#include "tests/plugin/hook_witness.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

std::string refusal(const torch::jit::Module& module, HookOptions options) {
  try {
    const auto hook = register_forward_hook(module, std::move(options), [](const HookEvent&) {});
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

bool says(const std::string& text, const std::vector<std::string>& parts) {
  return text.find('\n') == std::string::npos && std::all_of(parts.begin(), parts.end(), [&](const auto& part) {
           return text.find(part) != std::string::npos;
         });
}

// Two SAEs in one module; what each was given to decode is returned.
torch::jit::Module pair_of_saes() {
  return holder(
      "Pair",
      {{"first", sae_module("ReluSAE", kReluSource, 8, 32)}, {"second", sae_module("WideSAE", kJumpReluSource, 8, 64)}},
      R"(
def forward(self, x):
    a, first = self.first.forward(x)
    b, second = self.second.forward(x)
    return a + b, first, second
)");
}

}  // namespace

TEST_CASE("a callback is shown what the decoder consumes, the rows given to the encoder, and the module") {
  for (const auto* source : {kReluSource, kJumpReluSource, kTiedSource, kGatedSource, kChangedLaterSource}) {
    auto sae = sae_module("SAE", source, 8, 32);
    sae.attr("b_dec").toTensor().detach().fill_(0.25);  // centred rows are other rows
    HookWitness witness;
    const auto hook = register_forward_hook(sae, {}, witness.callback());
    for (std::size_t i = 0; i < 5; ++i) {
      const auto x = at::randn({6, 8});
      const auto features = run(sae, x, 1).detach();
      REQUIRE(witness.calls.size() == i + 1);
      const auto& seen = witness.calls[i];
      CHECK(at::equal(seen.activations, features));
      CHECK(at::equal(seen.rows, x));
      CHECK_FALSE(seen.indices.defined());
      CHECK(seen.owner == sae._ivalue().get());
      CHECK_FALSE(seen.activations.requires_grad());
    }
  }
}

TEST_CASE("of features that were scattered from a top-k a callback is shown the pairs") {
  auto sae = sae_module("TopKSAE", kTopKSource, 8, 32);
  HookWitness witness;
  const auto hook = register_forward_hook(sae, {}, witness.callback());
  CHECK(hook.sites().at(0).pair);
  for (const auto& x : {at::randn({6, 8}), at::randn({2, 3, 8})}) {
    const auto features = run(sae, x, 1).detach();
    const auto& seen = witness.calls.back();
    CHECK(seen.activations.size(-1) == 4);
    CHECK((seen.indices.scalar_type() == at::kLong));
    CHECK(at::equal(at::zeros_like(features).scatter(-1, seen.indices, seen.activations), features));
    CHECK(at::equal(seen.rows, x));
  }
  CHECK(witness.calls.size() == 2);
}

TEST_CASE("a site says which decoder it stands before, and how wide it is") {
  const auto transcoder = sae_module("Transcoder", kJumpReluSource, 8, 48, 12);
  const auto hook = register_forward_hook(transcoder, {}, [](const HookEvent&) {});
  REQUIRE(hook.sites().size() == 1);
  const auto site = hook.sites()[0];
  CHECK(site.value == "W_dec");
  CHECK(site.decoder == "W_dec");
  CHECK(site.activation == "JumpReLU");
  CHECK_FALSE(site.pair);
  CHECK(site.features == 48);
  CHECK(site.d_in == 8);
  CHECK(site.d_out == 12);
  CHECK(site.groups == 1);
}

TEST_CASE("a step is a call with gradients; the phase is the gradients' and the module's mode") {
  auto sae = with_training(sae_module("ReluSAE", kReluSource, 8, 32));
  HookWitness witness;
  const auto hook = register_forward_hook(sae, {}, witness.callback());
  call(sae, 2);
  {
    const at::NoGradGuard no_grad;
    call(sae, 2);
  }
  sae.eval();
  call(sae, 1);
  sae.train();
  call(sae, 1);
  std::vector<std::uint64_t> steps;
  std::vector<bool> training;
  for (const auto& seen : witness.calls) {
    steps.push_back(seen.step);
    training.push_back(seen.phase == Phase::train);
  }
  CHECK(steps == std::vector<std::uint64_t>{0, 1, 2, 2, 2, 3});
  CHECK(training == std::vector<bool>{true, true, false, false, false, true});
}

TEST_CASE("a module that runs in inference mode is seen, as no step") {
  auto sae = sae_module("TopKSAE", kTopKSource, 8, 32);
  HookWitness witness;
  const auto hook = register_forward_hook(sae, {}, witness.callback());
  const c10::InferenceMode inference;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto features = run(sae, at::randn({5, 8}), 1);
    REQUIRE(witness.calls.size() == i + 1);
    const auto& seen = witness.calls[i];
    CHECK(at::equal(at::zeros_like(features).scatter(-1, seen.indices, seen.activations), features));
    CHECK(seen.step == 0);
    CHECK(seen.phase == Phase::eval);
  }
}

TEST_CASE("each certain site of a module is hooked, or the one that is named") {
  auto pair = pair_of_saes();
  HookWitness both, one;
  const auto all = register_forward_hook(pair, {}, both.callback());
  const auto named = register_forward_hook(pair, {"forward", "second.W_dec"}, one.callback());
  CHECK(all.sites().size() == 2);
  REQUIRE(named.sites().size() == 1);
  CHECK(named.sites()[0].features == 64);
  const auto returned = pair.forward({at::randn({5, 8})}).toTuple()->elements();
  REQUIRE(both.calls.size() == 2);
  CHECK(both.calls[0].site.value == "first.W_dec");
  CHECK(at::equal(both.calls[0].activations, returned[1].toTensor()));
  CHECK(both.calls[0].owner == &pair.attr("first").toObjectRef());
  CHECK(both.calls[1].site.value == "second.W_dec");
  CHECK(at::equal(both.calls[1].activations, returned[2].toTensor()));
  REQUIRE(one.calls.size() == 1);
  CHECK(at::equal(one.calls[0].activations, returned[2].toTensor()));
}

TEST_CASE("a method that returns its code is hooked by its name") {
  auto sae = sae_module("SAE", kEncodeDecodeSource, 8, 32);
  HookWitness witness;
  const auto hook = register_forward_hook(sae, {"encode", ""}, witness.callback());
  CHECK(hook.sites().at(0).value == "return");
  CHECK(hook.sites().at(0).decoder == "W_dec");
  const auto code = sae.run_method("encode", at::randn({5, 8})).toTensor();
  sae.run_method("decode", code);
  REQUIRE(witness.calls.size() == 1);
  CHECK(at::equal(witness.calls[0].activations, code));
}

TEST_CASE("a value settles what the analysis is not sure of") {
  auto block = sae_module("FeedForward", kFeedForwardSource, 8, 32);
  HookWitness witness;
  const auto hook = register_forward_hook(block, {"forward", "W_dec"}, witness.callback());
  const auto x = at::randn({5, 8});
  block.forward({x});
  REQUIRE(witness.calls.size() == 1);
  const auto expected = at::relu(at::matmul(x, block.attr("W_enc").toTensor()) + block.attr("b_enc").toTensor());
  CHECK(at::equal(witness.calls[0].activations, expected.detach()));
}

TEST_CASE("what cannot be hooked is refused in one line with the reason") {
  const auto sae = sae_module("ReluSAE", kReluSource, 8, 32);
  const auto identity = sae_module("Identity", "def forward(self, x):\n    return x\n", 8, 32);
  const auto block = sae_module("FeedForward", kFeedForwardSource, 8, 32);
  CHECK(says(refusal(sae, {"encode", ""}), {"ReluSAE", "no method encode"}));
  CHECK(says(refusal(identity, {}), {"Identity", "forward", "no certain site"}));
  CHECK(says(refusal(identity, {"forward", "W_dec"}), {"Identity", "no site W_dec"}));
  CHECK(says(refusal(block, {}), {"FeedForward", "no certain site", "W_dec: ", "feed-forward block"}));
  CHECK(says(refusal(sae, {"forward", "decoder.weight"}), {"no site decoder.weight", "W_dec: "}));
  // What was refused leaves no hook.
  CHECK(refusal(sae, {}) == "accepted");
}

TEST_CASE("a handle can be moved; assigning to it takes its own hook away") {
  auto sae = sae_module("ReluSAE", kReluSource, 8, 32);
  int first = 0, second = 0;
  auto original = counting_hook(sae, first);
  ForwardHook moved(std::move(original));
  CHECK(moved.active());
  CHECK_FALSE(original.active());  // NOLINT(bugprone-use-after-move): a moved-from handle holds nothing
  original.remove();
  call(sae, 1);
  CHECK(first == 1);

  auto other = counting_hook(sae, second);
  moved = std::move(other);
  call(sae, 1);
  CHECK(first == 1);
  CHECK(second == 1);
  CHECK(moved.active());

  std::vector<ForwardHook> many;
  for (int i = 0; i < 5; ++i) many.push_back(counting_hook(sae, first));
  call(sae, 1);
  CHECK(first == 6);
  many.erase(many.begin() + 1);
  call(sae, 1);
  CHECK(first == 10);
}

TEST_CASE("a hook ends with remove, once or twice, or with its handle, and lets go of the module") {
  std::optional<torch::jit::Module> sae = sae_module("ReluSAE", kReluSource, 8, 32);
  const c10::weak_intrusive_ptr<c10::ivalue::Object> alive(sae->_ivalue());
  int count = 0;
  {
    const auto ends_with_block = counting_hook(*sae, count);
    call(*sae, 1);
  }
  call(*sae, 1);
  CHECK(count == 1);
  auto hook = counting_hook(*sae, count);
  sae.reset();
  CHECK_FALSE(alive.expired());  // a hook holds its module
  hook.remove();
  CHECK(alive.expired());
  CHECK_FALSE(hook.active());
  CHECK(hook.sites().empty());
  hook.remove();
  ForwardHook none;
  none.remove();
  CHECK_FALSE(none.active());
  CHECK(none.sites().empty());
}

TEST_CASE("after the last hook the module runs its own executor, and computes the same to the last bit") {
  auto sae = sae_module("GatedSAE", kGatedSource, 8, 32);
  call(sae, 4);
  const auto x = at::randn({6, 8});
  const auto before = run(sae, x, 0).detach();
  const void* own = executor_of(sae);
  CHECK_FALSE(is_tapped(sae));
  int count = 0;
  auto first = counting_hook(sae, count);
  auto second = counting_hook(sae, count);
  call(sae, 4);
  CHECK(executor_of(sae) != own);
  CHECK(is_tapped(sae));
  first.remove();
  call(sae, 1);
  CHECK(is_tapped(sae));
  CHECK(count == 9);
  second.remove();
  CHECK(executor_of(sae) == own);
  CHECK(at::equal(run(sae, x, 0), before));
  CHECK(executor_of(sae) == own);
  CHECK(count == 9);
}

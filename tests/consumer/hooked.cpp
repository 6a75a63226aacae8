// A LibTorch program that links saetap::plugin: what a hook shows is what the module computed, and the same numbers
// given to a declared site through saetap.hpp are read back.
#include <torch/script.h>
#include <torch/version.h>

#include <saetap/hooks/forward_hook.h>
#include <cstdio>
#include <saetap/saetap.hpp>

namespace {

constexpr std::int64_t kRows = 32, kWidth = 8, kFeatures = 64, kActive = 4;

void expect(bool condition, const std::string& what) {
  if (condition) return;
  std::fprintf(stderr, "hooked: %s\n", what.c_str());
  std::exit(1);
}

torch::jit::Module top_k_sae() {
  torch::jit::Module module("TopKSae");
  module.register_parameter("W_enc", at::randn({kWidth, kFeatures}), false);
  module.register_parameter("W_dec", at::randn({kFeatures, kWidth}), false);
  module.define(R"(
def forward(self, x):
    values, indices = torch.topk(torch.relu(torch.matmul(x, self.W_enc)), 4, -1)
    features = torch.zeros([x.size(0), self.W_enc.size(1)]).scatter(-1, indices, values)
    return torch.matmul(features, self.W_dec)
)");
  return module;
}

at::Tensor features_of(const torch::jit::Module& sae, const at::Tensor& x) {
  const auto all = at::relu(at::matmul(x, sae.attr("W_enc").toTensor()));
  const auto [values, indices] = at::topk(all, kActive, -1);
  return at::zeros({x.size(0), kFeatures}).scatter(-1, indices, values);
}

void check_hook(torch::jit::Module& sae, const at::Tensor& x) {
  std::vector<at::Tensor> seen;
  {
    const auto hook = saetap::register_forward_hook(sae, {}, [&](const saetap::HookEvent& event) {
      seen.push_back(event.indices.defined()
                         ? at::zeros({kRows, kFeatures}).scatter(-1, event.indices, event.activations)
                         : event.activations.clone());
    });
    expect(hook.sites().size() == 1 && hook.sites()[0].features == kFeatures, "one site was to be hooked");
    for (int call = 0; call < 3; ++call) sae.forward({x});
  }
  sae.forward({x});
  expect(seen.size() == 3, "the hook was called " + std::to_string(seen.size()) + " times, not 3");
  for (const auto& activations : seen) expect(at::equal(activations, features_of(sae, x)), "other activations");
}

void check_site(const at::Tensor& activations) {
  saetap::Plugin plugin = saetap::Plugin::load();
  expect(plugin.loaded(), plugin.why());
  const auto started = plugin.start(R"({"saetap": {"save_activation_samples": true, "sample_window_steps": 0}})");
  expect(static_cast<bool>(started), started.message);
  const auto attached = plugin.attach({"declared", kFeatures, kWidth, kWidth});
  expect(static_cast<bool>(attached), attached.message);
  // Transposed twice: the same numbers, with strides.
  const auto strided = activations.t().contiguous().t();
  const auto observed = attached.value.observe({saetap::array(strided)});
  expect(static_cast<bool>(observed), observed.message);
  const auto totals = plugin.statistics(0, 0, kFeatures);
  expect(static_cast<bool>(totals), totals.message);
  const auto active = activations.gt(0).sum(0);
  for (std::int64_t feature = 0; feature < kFeatures; ++feature) {
    expect(totals.value[feature].active == static_cast<std::uint64_t>(active[feature].item<std::int64_t>()),
           "another number of active rows");
  }
  expect(!attached.value.observe({saetap::array(activations.to_sparse())}), "a sparse tensor was taken");
  expect(static_cast<bool>(plugin.stop()), "the run did not end");
}

}  // namespace

int main() {
  torch::manual_seed(11);
  auto sae = top_k_sae();
  const auto x = at::randn({kRows, kWidth});
  check_hook(sae, x);
  check_site(features_of(sae, x));
  // As a program would be told that was compiled with another LibTorch than the library.
  const auto other = saetap::Plugin::load("libsaetap.so", {TORCH_VERSION_MAJOR, TORCH_VERSION_MINOR + 1, 1});
  expect(!other.loaded() && other.why().find("was built with LibTorch " TORCH_VERSION) != std::string::npos,
         other.why());
  std::puts("hooked: all as it should be");
}

// One short training, started with saetap in each of the ways that C and C++ have. Python's is in test_ways.py.
//
//   ways WAY SAE.pt MODEL.pt TOKENS.pt STEPS LIBRARY CONFIG.json
//
//   none   nothing of saetap is named: it is launched, or loaded by the environment
//   c      the table of functions; CONFIG's text is given to start()
//   cpp    saetap.hpp
#include <dlfcn.h>
#include <saetap/saetap.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/jit/serialization/pickle.h>
#include <torch/script.h>
#include <torch/version.h>

#include <saetap/saetap.hpp>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

std::vector<char> bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void train(const std::string& sae_path, const std::string& model_path, const std::string& tokens_path,
           std::int64_t steps) {
  auto sae = torch::jit::load(sae_path);
  auto model = torch::jit::load(model_path);
  const auto tokens = torch::jit::pickle_load(bytes_of(tokens_path)).toTensor();  // [steps, batch, length]
  std::vector<at::Tensor> weights;
  for (const auto& weight : sae.parameters()) weights.push_back(weight);
  for (std::int64_t step = 0; step < steps; ++step) {
    at::Tensor rows;
    {
      const at::NoGradGuard no_grad;
      rows = model.forward(std::vector<c10::IValue>{at::Tensor(tokens[step])}).toTensor();
      rows = rows.reshape({-1, rows.size(-1)});
    }
    const auto loss = (sae.forward({rows}).toTensor() - rows).square().sum();
    const auto gradients = torch::autograd::grad({loss}, weights);
    const at::NoGradGuard no_grad;
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i].sub_(gradients[i] * 1e-4);
  }
}

int fail(const char* why) {
  std::fprintf(stderr, "ways: %s\n", why);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) return fail("WAY SAE MODEL TOKENS STEPS LIBRARY CONFIG");
  const std::string way = argv[1];
  const auto run = [&] { train(argv[2], argv[3], argv[4], std::stoll(argv[5])); };
  const auto config = bytes_of(argv[7]);
  const std::string text(config.begin(), config.end());
  if (way == "c") {
    void* library = dlopen(argv[6], RTLD_NOW);
    if (library == nullptr) return fail(dlerror());
    const auto get_api = reinterpret_cast<const saetap_api* (*)(std::uint32_t)>(dlsym(library, "saetap_get_api"));
    const saetap_api* api = get_api(SAETAP_ABI_VERSION);
    if (api->start(text.c_str()) != SAETAP_OK) return fail(api->last_error());
    run();
    if (api->stop() != SAETAP_OK) return fail(api->last_error());
  } else if (way == "cpp") {
    saetap::Plugin plugin = saetap::Plugin::load(argv[6]);
    if (const auto started = plugin.start(text.c_str()); !started) return fail(started.message.c_str());
    run();
    if (const auto stopped = plugin.stop(); !stopped) return fail(stopped.message.c_str());
  } else {
    run();
  }
  return 0;
}

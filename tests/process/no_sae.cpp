// LibTorch programs without an SAE: `no_sae eager` multiplies matrices, `no_sae MODEL.pt` runs a language model once.
#include <torch/script.h>

#include <cstdio>
#include <string>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const at::NoGradGuard no_grad;
  if (std::string(argv[1]) == "eager") {
    std::printf("%.6f\n", at::ones({8, 8}).matmul(at::ones({8, 8})).sum().item<double>());
    return 0;
  }
  auto model = torch::jit::load(argv[1]);
  const auto output = model.forward({at::arange(64, at::kLong).reshape({2, 32}) + 1000});
  std::printf("%.6f\n", output.toTuple()->elements()[0].toTensor().sum().item<double>());
  return 5;  // a status of its own, which has to come through
}

// A trainer whose batches are a language model's rows in the order of the text, at learning rate 0: what is recorded of
// it is what a pass under the finished SAE has to find. It knows nothing of us.
//
//   train_in_order MODEL OUTPUT SAE TOKENS.bin LENGTH SEQUENCES BATCH     (OUTPUT: which of the model's tensors)
#include <torch/optim/sgd.h>
#include <torch/script.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

at::Tensor rows_of_tokens(const char* path, std::int64_t length) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  const auto count = static_cast<std::int64_t>(bytes.size() / sizeof(std::int32_t));
  return at::from_blob(bytes.data(), {count / length, length}, at::kInt).to(at::kLong);
}

std::vector<at::Tensor> parameters_of(const torch::jit::Module& module) {
  std::vector<at::Tensor> parameters;
  for (const auto& parameter : module.parameters()) parameters.push_back(parameter);
  return parameters;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) return 2;
  auto model = torch::jit::load(argv[1]);
  auto sae = torch::jit::load(argv[3]);
  const auto output = std::strtoul(argv[2], nullptr, 10);
  const auto tokens = rows_of_tokens(argv[4], std::atol(argv[5]));
  const auto batch = std::atol(argv[7]);
  torch::optim::SGD optimizer(parameters_of(sae), torch::optim::SGDOptions(0));
  double loss = 0;

  const auto step = [&](const at::Tensor& x) {
    optimizer.zero_grad();
    const auto returned = sae.forward({x});
    const auto& reconstruction =
        returned.isTuple() ? returned.toTuple()->elements()[0].toTensor() : returned.toTensor();
    const auto error = (reconstruction - x).square().sum(-1).mean();
    error.backward();
    optimizer.step();
    loss += error.item<double>();
  };

  at::Tensor waiting;
  for (const auto& texts : tokens.split(std::atol(argv[6]))) {
    const at::NoGradGuard no_grad;
    const auto returned = model.forward({texts});
    const auto rows = (returned.isTuple() ? returned.toTuple()->elements()[output].toTensor() : returned.toTensor());
    waiting = waiting.defined() ? at::cat({waiting, rows.flatten(0, 1)}) : rows.flatten(0, 1);
    while (waiting.size(0) >= batch) {
      const at::AutoGradMode grad(true);
      step(waiting.slice(0, 0, batch));
      waiting = waiting.slice(0, batch);
    }
  }
  if (waiting.size(0) > 0) step(waiting);
  std::printf("loss %g\n", loss);
}

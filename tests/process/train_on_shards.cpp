// A trainer that reads stored activations and calls no language model. It knows nothing of us.
//
//   train_on_shards MODULE plain|normalised BATCH SHARD.pt...
//
// One epoch of gradient steps too small to change anything over the rows of all shards, shuffled.
#include <torch/csrc/jit/serialization/pickle.h>
#include <torch/script.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

at::Tensor rows_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  return torch::jit::pickle_load(bytes).toTensor().flatten(0, -2).to(at::kFloat);
}

// As trainers scale them: centred, then divided by their norm.
at::Tensor normalised(const at::Tensor& rows) {
  const auto centred = rows - rows.mean(0);
  return centred / centred.norm(2, -1, /*keepdim=*/true);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  auto module = torch::jit::load(argv[1]);
  std::vector<at::Tensor> shards;
  for (int i = 4; i < argc; ++i) shards.push_back(rows_of(argv[i]));
  auto rows = at::cat(shards);
  if (std::string(argv[2]) == "normalised") rows = normalised(rows);
  torch::manual_seed(0);
  double loss = 0;
  for (const auto& which : at::randperm(rows.size(0), at::kLong).split(std::stol(argv[3]))) {
    const auto x = rows.index_select(0, which);
    const auto reconstruction = module.forward({x}).toTuple()->elements()[0].toTensor();
    const auto error = (reconstruction - x).square().sum(-1).mean();
    error.backward();
    loss += error.item<double>();
  }
  std::printf("%lld rows, loss %g\n", static_cast<long long>(rows.size(0)), loss);
}

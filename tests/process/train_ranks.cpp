// A trainer of one rank that knows nothing of saetap: gradients are averaged through a c10d store, which all ranks of
// the machine share as a file.
//
// train_ranks STORE MODULE MODEL TOKENS STEPS FEATURES_FOLDER, with RANK and WORLD_SIZE in the environment as a
// launcher sets them. What it trained on and what its SAE made of it is written to FEATURES_FOLDER: rows<rank>.bin, the
// number of each row of TOKENS, and features<rank>.bin, float32 [rows · 128, F].
#include <torch/script.h>
#include <torch/torch.h>
#include <torch/csrc/distributed/c10d/FileStore.hpp>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace {

constexpr std::int64_t kLength = 128;
constexpr std::int64_t kRowsOfText = 4;  // in a step

using Bytes = std::vector<std::uint8_t>;

Bytes bytes_of(const at::Tensor& tensor) {
  const auto packed = tensor.contiguous();
  const auto* begin = static_cast<const std::uint8_t*>(packed.const_data_ptr());
  return {begin, begin + packed.nbytes()};
}

// The sum over all ranks, in their order, so that all have the same.
void average(c10d::FileStore& store, std::vector<at::Tensor>& parameters, std::int64_t step, int rank, int ranks) {
  const auto key = [&](int of, std::size_t parameter) {
    return std::to_string(step) + "/" + std::to_string(parameter) + "/" + std::to_string(of);
  };
  for (std::size_t i = 0; i < parameters.size(); ++i) store.set(key(rank, i), bytes_of(parameters[i].grad()));
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    auto& gradient = parameters[i].mutable_grad();
    auto sum = at::zeros_like(gradient);
    for (int of = 0; of < ranks; ++of) {
      auto bytes = store.get(key(of, i));
      sum += at::from_blob(bytes.data(), gradient.sizes(), gradient.options());
    }
    gradient.copy_(sum / ranks);
  }
}

at::Tensor read_tokens(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto rows = static_cast<std::int64_t>(bytes.size() / sizeof(std::int32_t)) / kLength;
  auto tokens = at::empty({rows, kLength}, at::kInt);
  std::memcpy(tokens.mutable_data_ptr(), bytes.data(), tokens.nbytes());
  return tokens.to(at::kLong);
}

void append(const std::string& path, const at::Tensor& tensor) {
  const auto bytes = bytes_of(tensor);
  std::ofstream(path, std::ios::binary | std::ios::app)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  const int rank = std::atoi(std::getenv("RANK")), ranks = std::atoi(std::getenv("WORLD_SIZE"));
  at::set_num_threads(1);
  c10d::FileStore store(argv[1], ranks);
  auto sae = torch::jit::load(argv[2]);
  auto model = torch::jit::load(argv[3]);
  const auto tokens = read_tokens(argv[4]);
  const std::int64_t steps = std::atoll(argv[5]);
  const std::string folder = argv[6], own = std::to_string(rank) + ".bin";
  std::vector<at::Tensor> parameters;
  for (const auto& parameter : sae.parameters()) parameters.push_back(parameter);
  torch::optim::SGD optimizer(parameters, 1e-3);
  for (std::int64_t step = 0; step < steps; ++step) {
    // Ranks overlap: each second row of text is one that another rank has, too.
    const auto first = step * (ranks + 1) * kRowsOfText / 2 + rank * kRowsOfText / 2;
    const auto rows = at::arange(first, first + kRowsOfText, at::kLong);
    at::Tensor hidden;
    {
      const torch::NoGradGuard no_grad;
      hidden = model({tokens.index_select(0, rows)}).toTuple()->elements()[0].toTensor();
    }
    const auto inputs = hidden.reshape({-1, hidden.size(2)});
    const auto outputs = sae({inputs}).toTuple();
    const auto features = outputs->elements()[1].toTensor();
    optimizer.zero_grad();
    ((outputs->elements()[0].toTensor() - inputs).pow(2).mean() + 1e-4 * features.abs().mean()).backward();
    average(store, parameters, step, rank, ranks);
    optimizer.step();
    append(folder + "/rows" + own, rows);
    append(folder + "/features" + own, features.detach());
  }
  std::cout << "rank " << rank << " trained " << steps << " steps\n";
}

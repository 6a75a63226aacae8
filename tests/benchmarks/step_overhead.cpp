// What recording costs a training step: the same module and the same steps in one process, with taps and without, by
// turns.
//
// Usage: step_overhead [STEPS]      prints one line per size: median step without, with, and the ratio of the medians
#include <torch/optim/adam.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "plugin/log.h"
#include "plugin/session/session.h"
#include "tests/plugin/script_modules.h"

namespace {

using namespace saetap;

struct Size {
  const char* kind;
  const char* source;
  int64_t d;
  int64_t features;
  int64_t batch;
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

double timed_step(torch::jit::Module& sae, torch::optim::Adam& optimizer, const at::Tensor& batch) {
  const auto begin = std::chrono::steady_clock::now();
  optimizer.zero_grad();
  const auto output = sae.forward({batch}).toTuple()->elements();
  auto loss = (output[0].toTensor() - batch).pow(2).sum(-1).mean();
  loss.backward();
  optimizer.step();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

// New text for every step, as in a training run; its rows shuffled, as in a buffer.
at::Tensor fresh_rows(torch::jit::Module& model, const Size& size) {
  const at::NoGradGuard no_grad;
  const auto tokens = at::randint(0, 1000, {size.batch / 128, 128}, at::kLong);
  const auto rows = model.forward({tokens}).toTuple()->elements()[0].toTensor().reshape({-1, size.d});
  return rows.index_select(0, at::randperm(rows.size(0), at::kLong));
}

void measure(const Size& size, int steps) {
  auto folder = std::filesystem::temp_directory_path() / ("saetap-bench-" + std::to_string(getpid()));
  Config config;
  config.output_dir = folder.string();
  auto* session = new Session(config, "step_overhead");
  session->start();

  auto model = testing::prefix_model(1000, size.d);
  auto sae = testing::sae_module("SAE", size.source, size.d, size.features);
  std::vector<at::Tensor> parameters;
  for (const auto& parameter : sae.parameters()) parameters.push_back(parameter);
  torch::optim::Adam optimizer(parameters, torch::optim::AdamOptions(1e-4));
  std::vector<double> without, with;
  for (int step = 0; step < 2 * steps; ++step) {
    const auto batch = fresh_rows(model, size);
    const bool on = step % 2 == 1;
    hooks::set_tap_sink(on ? &hooks::Discovery::of_process() : nullptr);
    const auto time = timed_step(sae, optimizer, batch);
    if (step >= 8) (on ? with : without).push_back(time);  // the first ones fill heaps and compile
    hooks::set_tap_sink(&hooks::Discovery::of_process());
  }
  const auto resolved = session->sites().at(0).second;
  std::printf(
      "%-5s d=%lld F=%lld batch %lld: %.1f ms without, %.1f ms with, ratio of medians %.4f (%d steps each, %.2f %% "
      "resolved)\n",
      size.kind, static_cast<long long>(size.d), static_cast<long long>(size.features),
      static_cast<long long>(size.batch), median(without), median(with), median(with) / median(without),
      static_cast<int>(with.size()),
      100.0 * static_cast<double>(resolved.rows_resolved) / static_cast<double>(resolved.rows_collected));
  std::fflush(stdout);
  session->finish();
  std::filesystem::remove_all(folder);
}

}  // namespace

int main(int argc, char** argv) {
  const int steps = argc > 1 ? std::max(8, std::atoi(argv[1])) : 24;
  saetap::set_log_level(saetap::LogLevel::error);
  for (const Size& size : {Size{"TopK", saetap::testing::kTopKSource, 384, 2048, 1024},
                           Size{"ReLU", saetap::testing::kReluSource, 384, 2048, 1024},
                           Size{"TopK", saetap::testing::kTopKSource, 768, 16384, 4096}}) {
    measure(size, steps);
  }
}

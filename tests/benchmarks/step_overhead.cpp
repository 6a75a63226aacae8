// What recording costs a training step: the same module and the same steps in one process, with taps and without, by
// turns. A step is the language model's call (a table look-up, so that as little as possible hides our cost), the SAE's
// forward and backward pass, and Adam's.
//
//   step_overhead [--steps N] [--json FILE] [--device cuda] [--only TopK-16384]
//
// On a GPU, a step is timed from a quiet device to a quiet device; taps are on for twenty steps and off for twenty, and
// what they queue is paid for by those with taps.
//
// Prints a line for each size, and writes every step's time if asked to. N pairs of steps of the widest sizes, four
// times as many of the others.
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/optim/adam.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "plugin/log.h"
#include "plugin/session/session.h"
#include "tests/plugin/script_modules.h"

namespace {

using namespace saetap;
using Clock = std::chrono::steady_clock;

struct Size {
  std::string kind;
  std::string source;
  int64_t d;
  int64_t features;
  int64_t batch;
  double bias;  // of the encoder: how many of the features it leaves active
};

at::Device device(at::kCPU);

// Until all that was asked of the device is done.
void wait_for_device() {
  if (!device.is_cpu()) c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
}

// 64 of them active by rule.
constexpr auto kTop64Source = R"(
def forward(self, x):
    pre = torch.relu(torch.matmul(x - self.b_dec, self.W_enc) + self.b_enc)
    values, indices = torch.topk(pre, 64, -1)
    features = torch.zeros_like(pre).scatter(-1, indices, values)
    return torch.matmul(features, self.W_dec) + self.b_dec, features
)";

// Rows that differ with all tokens before them, and are of one size, so that the encoder's bias says how many features
// are active.
torch::jit::Module language_model(int64_t vocabulary, int64_t d) {
  torch::manual_seed(11);
  torch::jit::Module model("PrefixModel");
  model.register_parameter("embedding", at::randn({vocabulary, d}), false);
  model.define(R"(
def forward(self, input_ids):
    sums = torch.cumsum(torch.embedding(self.embedding, input_ids), 1)
    counts = torch.arange(1, input_ids.size(1) + 1, device=input_ids.device)
    return sums / torch.sqrt(counts).unsqueeze(-1)
)");
  return model;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// New text for every step, as in a training run; its rows shuffled, as in a buffer.
at::Tensor fresh_rows(torch::jit::Module& model, const Size& size) {
  const at::NoGradGuard no_grad;
  const auto tokens = at::randint(0, 1000, {size.batch / 128, 128}, at::TensorOptions(at::kLong).device(device));
  const auto rows = model.forward({tokens}).toTensor().reshape({-1, size.d});
  return rows.index_select(0, at::randperm(rows.size(0), at::TensorOptions(at::kLong).device(device)));
}

double active_features = 0;

double timed_step(torch::jit::Module& model, torch::jit::Module& sae, torch::optim::Adam& optimizer, const Size& size) {
  const auto begin = Clock::now();
  const auto batch = fresh_rows(model, size);
  optimizer.zero_grad();
  const auto output = sae.forward({batch}).toTuple()->elements();
  auto loss = (output[0].toTensor() - batch).pow(2).sum(-1).mean();
  loss.backward();
  optimizer.step();
  wait_for_device();
  const auto time = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  active_features = output[1].toTensor().gt(0).sum().item<double>() / static_cast<double>(size.batch);
  return time;
}

// Steps with or without taps, one after the other. On a GPU a step's last work for us is done in the next one.
int turn() {
  return device.is_cpu() ? 1 : 20;
}

nlohmann::json measure(const Size& size, int steps) {
  auto folder = std::filesystem::temp_directory_path() / ("saetap-bench-" + std::to_string(getpid()));
  Config config;
  config.output_dir = folder.string();
  config.checkpoint_seconds = 1000000;
  auto* session = new Session(config, "step_overhead");  // never destroyed, as in a process
  session->start();

  auto model = language_model(1000, size.d);
  auto sae = testing::sae_module("SAE", size.source, size.d, size.features);
  {
    const at::NoGradGuard no_grad;
    sae.attr("b_enc").toTensor().fill_(size.bias);
  }
  model.to(device);
  sae.to(device);
  std::vector<at::Tensor> parameters;
  for (const auto& parameter : sae.parameters()) parameters.push_back(parameter);
  torch::optim::Adam optimizer(parameters, torch::optim::AdamOptions(1e-5));
  std::vector<double> without, with, all_with;
  const int filling = device.is_cpu() ? 6 : 40;  // pairs of steps: heaps fill, code is compiled
  for (int step = 0; step < 2 * (steps + filling); ++step) {
    const bool on = step / turn() % 2 == 1;
    hooks::set_tap_sink(on ? &hooks::Discovery::of_process() : nullptr);
    const auto time = timed_step(model, sae, optimizer, size);
    if (on) all_with.push_back(time);
    if (step >= 2 * filling) (on ? with : without).push_back(time);
  }
  hooks::set_tap_sink(&hooks::Discovery::of_process());
  session->settle();
  const auto counts = session->sites().at(0).second;
  const double resolved = static_cast<double>(counts.rows_resolved) / static_cast<double>(counts.rows_collected);
  const double ratio = median(with) / median(without);
  std::printf(
      "%-6s %s d=%lld F=%lld batch %lld, %.0f active: ratio of medians %.4f (%.1f ms with, %.1f without; %d steps "
      "each; %.2f %% resolved)\n",
      size.kind.c_str(), device.str().c_str(), static_cast<long long>(size.d), static_cast<long long>(size.features),
      static_cast<long long>(size.batch), active_features, ratio, median(with), median(without), steps, 100 * resolved);
  std::fflush(stdout);
  session->finish();
  std::filesystem::remove_all(folder);
  return {{"kind", size.kind},
          {"device", device.str()},
          {"d", size.d},
          {"features", size.features},
          {"batch", size.batch},
          {"active", active_features},
          {"ratio", ratio},
          {"with_ms", median(with)},
          {"without_ms", median(without)},
          {"steps", steps},
          {"resolved", resolved},
          {"filling", filling},
          {"all_with_ms", all_with},  // from the first one on, `filling` more than are compared
          {"compared_without_ms", without},
          {"waits", session->waits().count}};
}

}  // namespace

int main(int argc, char** argv) {
  int steps = 24;
  std::string json, only;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string(argv[i]) == "--steps") steps = std::max(4, std::atoi(argv[i + 1]));
    if (std::string(argv[i]) == "--json") json = argv[i + 1];
    if (std::string(argv[i]) == "--device") device = at::Device(argv[i + 1]);
    if (std::string(argv[i]) == "--only") only = argv[i + 1];
  }
  saetap::set_log_level(saetap::LogLevel::error);
  auto sizes = nlohmann::json::array();
  const std::vector<Size> of_host{{"TopK", kTop64Source, 768, 16384, 4096, 0},
                                  {"ReLU", saetap::testing::kReluSource, 768, 16384, 4096, -2.65},
                                  {"TopK", kTop64Source, 384, 2048, 1024, 0},
                                  {"ReLU", saetap::testing::kReluSource, 384, 2048, 1024, -1.85},
                                  {"dense", saetap::testing::kReluSource, 384, 2048, 1024, 0}};
  const std::vector<Size> of_device{{"TopK", kTop64Source, 768, 16384, 4096, 0},
                                    {"ReLU", saetap::testing::kReluSource, 768, 16384, 4096, -2.65},
                                    {"ReLU", saetap::testing::kReluSource, 768, 16384, 4096, -1.9},
                                    {"TopK", kTop64Source, 2048, 65536, 4096, 0},
                                    {"ReLU", saetap::testing::kReluSource, 2048, 65536, 4096, -3.1}};
  for (const Size& size : device.is_cpu() ? of_host : of_device) {
    if (!only.empty() && only != size.kind + "-" + std::to_string(size.features)) continue;
    sizes.push_back(measure(size, size.features > 4096 && device.is_cpu() ? steps : 4 * steps));
  }
  if (!json.empty()) std::ofstream(json) << sizes.dump(1) << "\n";
}

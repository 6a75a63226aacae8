// What recording costs a training step: the same module and the same steps in one process, with taps and without, by
// turns. A step is the language model's call (a table look-up, so that as little as possible hides our cost), the SAE's
// forward and backward pass, and Adam's. On the host a step with taps ends when the collector has done all that the
// step gave it, so that no other step pays for it; that is more than a trainer would wait.
//
//   step_overhead [--pairs N] [--fill N] [--json FILE] [--device cuda] [--only TopK-16384]
//
// Beside the steps' times, the time that passes inside of taps and in waiting for the collector is measured by itself:
// a tenth of a percent can be told of that, and not of the difference of two steps of seconds.
//
// Measured twice in one window: in its first steps, in which every feature's table fills, and after `fill` steps (those
// between are recorded forward passes alone).
//
// On a GPU, a step is timed from a quiet device to a quiet device; taps are on for twenty steps and off for twenty, and
// what they queue is paid for by those with taps.
//
// Prints two lines for each size, and writes every step's time if asked to. N pairs of steps of the widest sizes, four
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
#include <utility>

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

double active_features(torch::jit::Module& model, torch::jit::Module& sae, const Size& size) {
  const at::NoGradGuard no_grad;
  const auto output = sae.forward({fresh_rows(model, size)}).toTuple()->elements();
  return output[1].toTensor().gt(0).sum().item<double>() / static_cast<double>(size.batch);
}

// Milliseconds; of each recorded step what it took, and how much of that passed in taps and in waiting.
struct Times {
  std::vector<double> with, own, without;
};

double since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

// Times what it hands on.
class TimedTaps : public hooks::TapSink {
 public:
  void on_features(const hooks::FeatureEvent& event) noexcept override {
    const auto begin = Clock::now();
    hooks::Discovery::of_process().on_features(event);
    passed_ += since(begin);
  }
  void on_stream(const hooks::StreamEvent& event) noexcept override {
    const auto begin = Clock::now();
    hooks::Discovery::of_process().on_stream(event);
    passed_ += since(begin);
  }
  // Since it was asked for the last time.
  double passed() { return std::exchange(passed_, 0); }

 private:
  double passed_ = 0;
};

// One trainer and the session that records it.
class Trainer {
 public:
  Trainer(const Size& size, Session& session)
      : size_(size),
        session_(session),
        model_(language_model(1000, size.d)),
        sae_(testing::sae_module("SAE", size.source, size.d, size.features)),
        optimizer_(prepared(), torch::optim::AdamOptions(1e-5)) {}

  // `count` steps of each kind.
  Times pairs(int count) {
    Times times;
    for (int step = 0; step < 2 * count; ++step) {
      const bool on = step / turn() % 2 == 1;
      hooks::set_tap_sink(on ? &taps_ : nullptr);
      taps_.passed();
      const auto [time, waited] = timed_step(on);
      (on ? times.with : times.without).push_back(time);
      if (on) times.own.push_back(taps_.passed() + waited);
    }
    return times;
  }

  void fill(int steps) {
    const at::NoGradGuard no_grad;
    hooks::set_tap_sink(&hooks::Discovery::of_process());
    for (int step = 0; step < steps; ++step) sae_.forward({fresh_rows(model_, size_)});
    session_.settle();
  }

  double active() {
    hooks::set_tap_sink(nullptr);
    return active_features(model_, sae_, size_);
  }

 private:
  // On a GPU a step's last work for us is done in the next one.
  static int turn() { return device.is_cpu() ? 1 : 20; }

  std::vector<at::Tensor> prepared() {
    {
      const at::NoGradGuard no_grad;
      sae_.attr("b_enc").toTensor().fill_(size_.bias);
    }
    model_.to(device);
    sae_.to(device);
    std::vector<at::Tensor> parameters;
    for (const auto& parameter : sae_.parameters()) parameters.push_back(parameter);
    return parameters;
  }

  // Milliseconds, and how many of them the collector was waited for.
  std::pair<double, double> timed_step(bool recorded) {
    const auto begin = Clock::now();
    const auto batch = fresh_rows(model_, size_);
    optimizer_.zero_grad();
    const auto output = sae_.forward({batch}).toTuple()->elements();
    auto loss = (output[0].toTensor() - batch).pow(2).sum(-1).mean();
    loss.backward();
    optimizer_.step();
    wait_for_device();
    const auto trained = since(begin);
    if (recorded && device.is_cpu()) session_.settle();
    const auto time = since(begin);
    return {time, time - trained};
  }

  const Size& size_;
  Session& session_;
  torch::jit::Module model_, sae_;
  torch::optim::Adam optimizer_;
  TimedTaps taps_;
};

nlohmann::json measure(const Size& size, int pairs, int fill) {
  auto folder = std::filesystem::temp_directory_path() / ("saetap-bench-" + std::to_string(getpid()));
  Config config;
  config.output_dir = folder.string();
  config.checkpoint_seconds = 1000000;
  config.sample_window_steps = {WindowRule::Kind::single, 0};
  hooks::set_tap_sink(nullptr);
  auto* session = new Session(config, "step_overhead");  // never destroyed, as in a process
  session->start();

  nlohmann::json result{{"kind", size.kind},         {"device", device.str()}, {"d", size.d},
                        {"features", size.features}, {"batch", size.batch},    {"fill", fill}};
  Trainer trainer(size, *session);
  trainer.active();  // the first passes compile the module
  trainer.active();
  for (const std::string phase : {"filling", "settled"}) {
    if (phase == "settled") trainer.fill(fill);
    const auto times = trainer.pairs(pairs);
    const auto active = trainer.active();
    std::printf(
        "%-6s %s d=%lld F=%lld batch %lld, %.0f active, %s: own %.2f %%, ratio of medians %.4f (%.1f ms with, %.1f "
        "without)\n",
        size.kind.c_str(), device.str().c_str(), static_cast<long long>(size.d), static_cast<long long>(size.features),
        static_cast<long long>(size.batch), active, phase.c_str(), 100 * median(times.own) / median(times.without),
        median(times.with) / median(times.without), median(times.with), median(times.without));
    std::fflush(stdout);
    result[phase] = {{"with_ms", times.with}, {"own_ms", times.own}, {"without_ms", times.without}, {"active", active}};
  }
  session->settle();
  const auto counts = session->sites().at(0).second;
  result["resolved"] = static_cast<double>(counts.rows_resolved) / static_cast<double>(counts.rows_collected);
  session->finish();
  std::filesystem::remove_all(folder);
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  int pairs = 10, fill = 300;
  std::string json, only;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string(argv[i]) == "--pairs") pairs = std::max(4, std::atoi(argv[i + 1]));
    if (std::string(argv[i]) == "--fill") fill = std::atoi(argv[i + 1]);
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
    sizes.push_back(measure(size, size.features > 4096 && device.is_cpu() ? pairs : 4 * pairs, fill));
  }
  if (!json.empty()) std::ofstream(json) << sizes.dump(1) << "\n";
}

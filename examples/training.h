// What the two trainers share: the configuration, one optimisation step, and the log.
#pragma once

#include "activations_store.h"

#include <torch/optim/adam.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

struct TrainingConfig {
  ActivationsStoreOptions activations;
  std::string module_path;  // TorchScript: forward(x [N, d]) -> reconstruction or (reconstruction, features)
  std::string save_to;      // where the trained module goes
  std::string digest_path;  // bits of every loss and a digest of the end state; empty: none
  std::string unit_norm;    // parameter whose rows are kept at unit length; empty: none
  std::int64_t steps = 0;
  std::int64_t warmup_steps = 0;  // the learning rate rises linearly over these
  std::int64_t decay_steps = 0;   // and falls linearly to zero over the last ones
  std::int64_t log_every = 10;
  std::int64_t threads = 0;  // 0: LibTorch's own choice
  std::uint64_t seed = 0;
  double lr = 1e-3;
  double l1_coefficient = 0;
};

// Reads argv[1], a JSON file, and then `key=value` arguments that replace its keys. Keys it does not know are ignored.
TrainingConfig read_config(int argc, char** argv);

class Trainer {
 public:
  explicit Trainer(TrainingConfig config);

  // One step of Adam on the squared error of module(input) against target, plus the L1 penalty on returned features.
  void step(const at::Tensor& input, const at::Tensor& target);

  // Saves the module, and the digest if one is asked for.
  void finish();

 private:
  void schedule_learning_rate();
  void keep_unit_norm();
  void log(double loss, double unexplained);

  TrainingConfig config_;
  torch::jit::Module module_;
  std::vector<std::pair<std::string, at::Tensor>> parameters_;
  torch::optim::Adam optimizer_;
  std::ofstream digest_;
  std::int64_t steps_done_ = 0;
  std::chrono::steady_clock::time_point started_;
};

// Runs a trainer's main: 0, or 2 with one line on stderr when it throws.
int run_trainer(const char* program, const std::function<void()>& train);

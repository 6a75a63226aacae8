// Configuration, optimisation step, digest and log of the trainers.
#include "training.h"

#include <ATen/Parallel.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <utility>

namespace {

using nlohmann::json;

json read_json(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  json config = json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) throw std::runtime_error(path + " is not a JSON object");
  return config;
}

void override_key(json& config, const std::string& argument) {
  const auto equals = argument.find('=');
  if (equals == std::string::npos || equals == 0) throw std::runtime_error("'" + argument + "' is not key=value");
  const std::string text = argument.substr(equals + 1);
  json value = json::parse(text, nullptr, /*allow_exceptions=*/false);
  config[argument.substr(0, equals)] = value.is_discarded() ? json(text) : std::move(value);
}

template <typename Value>
void read_key(const json& config, const char* key, Value& value) {
  const auto found = config.find(key);
  if (found == config.end()) return;
  try {
    found->get_to(value);
  } catch (const json::exception&) {
    throw std::runtime_error(std::string("config key ") + key + " cannot be " + found->dump());
  }
}

void require_key(const json& config, const char* key) {
  if (!config.contains(key)) throw std::runtime_error(std::string("config key ") + key + " is missing");
}

std::vector<std::pair<std::string, at::Tensor>> trainable_parameters(const torch::jit::Module& module) {
  std::vector<std::pair<std::string, at::Tensor>> parameters;
  for (const auto& parameter : module.named_parameters(/*recurse=*/true)) {
    if (parameter.value.requires_grad()) parameters.emplace_back(parameter.name, parameter.value);
  }
  if (parameters.empty()) throw std::runtime_error("the module has no parameter to train");
  return parameters;
}

std::vector<at::Tensor> tensors_of(const std::vector<std::pair<std::string, at::Tensor>>& parameters) {
  std::vector<at::Tensor> tensors;
  for (const auto& [name, tensor] : parameters) tensors.push_back(tensor);
  return tensors;
}

// FNV-1a over the tensor's bytes.
std::uint64_t digest_of(const at::Tensor& tensor) {
  const at::Tensor packed = tensor.detach().contiguous().cpu();
  const auto* bytes = static_cast<const unsigned char*>(packed.const_data_ptr());
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (std::size_t i = 0; i < packed.nbytes(); ++i) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return hash;
}

std::string hex(std::uint64_t value, int digits) {
  char text[17];
  std::snprintf(text, sizeof text, "%0*llx", digits, static_cast<unsigned long long>(value));
  return text;
}

}  // namespace

TrainingConfig read_config(int argc, char** argv) {
  if (argc < 2) throw std::runtime_error("usage: CONFIG.json [key=value ...]");
  json config = read_json(argv[1]);
  for (int i = 2; i < argc; ++i) override_key(config, argv[i]);
  for (const char* key : {"module", "model", "tokens", "steps", "batch_size", "buffer_rows", "save_to"}) {
    require_key(config, key);
  }
  TrainingConfig read;
  read_key(config, "module", read.module_path);
  read_key(config, "save_to", read.save_to);
  read_key(config, "digest", read.digest_path);
  read_key(config, "unit_norm", read.unit_norm);
  read_key(config, "steps", read.steps);
  read_key(config, "warmup_steps", read.warmup_steps);
  read_key(config, "decay_steps", read.decay_steps);
  read_key(config, "log_every", read.log_every);
  read_key(config, "threads", read.threads);
  read_key(config, "seed", read.seed);
  read_key(config, "lr", read.lr);
  read_key(config, "l1_coefficient", read.l1_coefficient);
  read_key(config, "model", read.activations.model_path);
  read_key(config, "tokens", read.activations.tokens_path);
  read_key(config, "row_length", read.activations.row_length);
  read_key(config, "model_batch", read.activations.model_batch);
  read_key(config, "batch_size", read.activations.batch_size);
  read_key(config, "buffer_rows", read.activations.buffer_rows);
  read_key(config, "input_output", read.activations.input_output);
  read.activations.target_output = read.activations.input_output;
  read_key(config, "target_output", read.activations.target_output);
  read.activations.seed = read.seed;
  if (read.steps <= 0 || read.log_every <= 0) throw std::runtime_error("steps and log_every must be positive");
  const auto folder = std::filesystem::path(read.save_to).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder)) {
    throw std::runtime_error("no folder " + folder.string() + " to save " + read.save_to + " in");
  }
  torch::manual_seed(read.seed);
  if (read.threads > 0) at::set_num_threads(static_cast<int>(read.threads));
  return read;
}

Trainer::Trainer(TrainingConfig config)
    : config_(std::move(config)),
      module_(load_module(config_.module_path)),
      parameters_(trainable_parameters(module_)),
      optimizer_(tensors_of(parameters_), torch::optim::AdamOptions(config_.lr)),
      started_(std::chrono::steady_clock::now()) {
  module_.train();
  const auto is_unit_norm = [&](const auto& parameter) { return parameter.first == config_.unit_norm; };
  if (!config_.unit_norm.empty() && std::ranges::none_of(parameters_, is_unit_norm)) {
    throw std::runtime_error(config_.module_path + " has no parameter " + config_.unit_norm);
  }
  if (config_.digest_path.empty()) return;
  digest_.open(config_.digest_path, std::ios::app);
  if (!digest_) throw std::runtime_error("cannot write " + config_.digest_path);
}

void Trainer::step(const at::Tensor& input, const at::Tensor& target) {
  schedule_learning_rate();
  optimizer_.zero_grad();
  const auto output = module_.forward({input});
  at::Tensor reconstruction, penalty;
  if (output.isTuple()) {
    const auto& parts = output.toTuple()->elements();
    reconstruction = parts.at(0).toTensor();
    // Rows of W_dec have unit length, so the sum of a row's activations is its penalty as it stands.
    if (config_.l1_coefficient > 0) penalty = parts.at(1).toTensor().abs().sum(-1).mean() * config_.l1_coefficient;
  } else {
    if (config_.l1_coefficient > 0) throw std::runtime_error("l1_coefficient needs a module that returns its features");
    reconstruction = output.toTensor();
  }
  // Summed over the width, as the literature's L1 coefficients assume.
  const at::Tensor squared_error = (reconstruction - target).square().sum(-1).mean();
  const at::Tensor loss = penalty.defined() ? squared_error + penalty : squared_error;
  loss.backward();
  optimizer_.step();
  keep_unit_norm();
  ++steps_done_;

  const float loss_value = loss.item<float>();
  if (digest_.is_open()) {
    digest_ << "step " << steps_done_ << ' ' << hex(std::bit_cast<std::uint32_t>(loss_value), 8) << '\n';
  }
  if (steps_done_ % config_.log_every == 0 || steps_done_ == config_.steps) {
    const torch::NoGradGuard no_grad;
    const at::Tensor variance = (target - target.mean(0)).square().sum(-1).mean();
    log(loss_value, (squared_error / variance).item<double>());
  }
}

void Trainer::schedule_learning_rate() {
  const auto rise = static_cast<double>(steps_done_ + 1) / static_cast<double>(config_.warmup_steps + 1);
  const auto fall = static_cast<double>(config_.steps - steps_done_) / static_cast<double>(config_.decay_steps + 1);
  for (auto& group : optimizer_.param_groups()) group.options().set_lr(config_.lr * std::min({rise, fall, 1.0}));
}

void Trainer::keep_unit_norm() {
  if (config_.unit_norm.empty()) return;
  const torch::NoGradGuard no_grad;
  for (const auto& [name, parameter] : parameters_) {
    if (name == config_.unit_norm) parameter.div_(parameter.norm(2, 1, /*keepdim=*/true));
  }
}

void Trainer::log(double loss, double unexplained) {
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started_;
  std::printf("step %-5lld loss %-8.4g unexplained %.3f  %.2f steps/s\n", static_cast<long long>(steps_done_), loss,
              unexplained, static_cast<double>(steps_done_) / seconds.count());
  std::fflush(stdout);
}

void Trainer::finish() {
  module_.save(config_.save_to);
  if (digest_.is_open()) {
    for (const auto& [name, parameter] : parameters_) {
      digest_ << "parameter " << name << ' ' << hex(digest_of(parameter), 16) << '\n';
      const at::Tensor& gradient = parameter.grad();
      if (gradient.defined()) digest_ << "gradient " << name << ' ' << hex(digest_of(gradient), 16) << '\n';
    }
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started_;
  std::printf("saved %s after %lld steps (%.0f s)\n", config_.save_to.c_str(), static_cast<long long>(steps_done_),
              seconds.count());
}

int run_trainer(const char* program, const std::function<void()>& train) {
  std::string reason;
  try {
    train();
    return 0;
  } catch (const c10::Error& error) {
    reason = error.what_without_backtrace();
  } catch (const std::exception& error) {
    reason = error.what();
  }
  std::fprintf(stderr, "%s: %s\n", program, reason.substr(0, reason.find('\n')).c_str());
  return 2;
}

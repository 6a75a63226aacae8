// Small TorchScript modules as people write them, for the tests that need LibTorch.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "hooks/libtorch.h"

namespace saetap::testing {

// A module of type `type` with the given methods, and parameters W_enc [d, F], b_enc [F], W_dec [F, d_out], b_dec
// [d_out].
// Each of `others` is one more weight, shaped like W_enc if it ends so, else like W_dec.
inline torch::jit::Module sae_module(const std::string& type, const std::string& source, int64_t d, int64_t features,
                                     int64_t d_out = 0, const std::vector<std::string>& others = {}) {
  if (d_out == 0) d_out = d;
  torch::manual_seed(7);
  torch::jit::Module module(type);
  module.register_parameter(
      "W_enc", (at::randn({d, features}) / std::sqrt(static_cast<double>(d))).set_requires_grad(true), false);
  module.register_parameter("b_enc", at::zeros({features}).set_requires_grad(true), false);
  module.register_parameter(
      "W_dec", (at::randn({features, d_out}) / std::sqrt(static_cast<double>(features))).set_requires_grad(true),
      false);
  module.register_parameter("b_dec", at::zeros({d_out}).set_requires_grad(true), false);
  for (const auto& name : others) {
    const auto like = module.attr(name.ends_with("W_enc") ? "W_enc" : "W_dec").toTensor();
    module.register_parameter(name, at::randn_like(like.detach()).mul_(0.3).set_requires_grad(true), false);
  }
  module.define(source);
  return module;
}

inline constexpr auto kReluSource = R"(
def forward(self, x):
    features = torch.relu(torch.matmul(x - self.b_dec, self.W_enc) + self.b_enc)
    return torch.matmul(features, self.W_dec) + self.b_dec, features
)";

inline constexpr auto kTopKSource = R"(
def forward(self, x):
    pre = torch.relu(torch.matmul(x - self.b_dec, self.W_enc) + self.b_enc)
    values, indices = torch.topk(pre, 4, -1)
    features = torch.zeros_like(pre).scatter(-1, indices, values)
    return torch.matmul(features, self.W_dec) + self.b_dec, features
)";

inline constexpr auto kJumpReluSource = R"(
def forward(self, x):
    pre = torch.linear(x, self.W_enc.t(), self.b_enc)
    features = pre * (pre > 0.5).to(pre.dtype)
    return torch.linear(features, self.W_dec.t(), self.b_dec), features
)";

inline constexpr auto kTiedSource = R"(
def forward(self, x):
    features = torch.relu(torch.matmul(x, self.W_enc) + self.b_enc)
    return torch.matmul(features, self.W_enc.t()) + self.b_dec, features
)";

// The decoder reads the features before they are changed in place.
inline constexpr auto kChangedLaterSource = R"(
def forward(self, x):
    features = torch.relu(torch.matmul(x, self.W_enc) + self.b_enc)
    reconstruction = torch.matmul(features, self.W_dec) + self.b_dec
    kept = features.clone()
    features.mul_(0.0)
    return reconstruction + features.sum(), kept
)";

// b_dec is used three times, and its gradient summed from three terms.
inline constexpr auto kGatedSource = R"(
def forward(self, x):
    pre = torch.matmul(x - self.b_dec, self.W_enc)
    gate = torch.relu(pre + self.b_enc)
    features = (gate > 0).to(pre.dtype) * torch.relu(pre * 1.5 + self.b_enc)
    auxiliary = torch.matmul(gate, self.W_dec.detach()) + self.b_dec
    return torch.matmul(features, self.W_dec) + self.b_dec, features, auxiliary
)";

// encode and decode are methods that people call one after the other.
inline constexpr auto kEncodeDecodeSource = R"(
def encode(self, x):
    return torch.relu(torch.matmul(x - self.b_dec, self.W_enc) + self.b_enc)
def decode(self, features):
    return torch.matmul(features, self.W_dec) + self.b_dec
)";

// As a transcoder of d -> 4d -> d, and as every feed-forward block of a language model.
inline constexpr auto kFeedForwardSource = R"(
def forward(self, x):
    return torch.matmul(torch.relu(torch.matmul(x, self.W_enc) + self.b_enc), self.W_dec) + self.b_dec
)";

// A language model in small: every row depends on all tokens up to its own.
inline torch::jit::Module prefix_model(int64_t vocabulary, int64_t d) {
  torch::manual_seed(11);
  torch::jit::Module model("PrefixModel");
  model.register_parameter("embedding", at::randn({vocabulary, d}), false);
  model.define(R"(
def forward(self, input_ids):
    hidden = torch.cumsum(torch.embedding(self.embedding, input_ids), 1)
    return hidden, hidden * 2.0
)");
  return model;
}

// As nn.Module has it, for train() and eval().
inline torch::jit::Module with_training(torch::jit::Module module) {
  if (!module.hasattr("training")) module.register_attribute("training", c10::BoolType::get(), true);
  return module;
}

inline torch::jit::Module frozen(const torch::jit::Module& module) {
  auto evaluated = with_training(module.clone());  // a type of its own, which may get an attribute
  evaluated.eval();
  return torch::jit::freeze(evaluated);
}

inline std::string saved_bytes(const torch::jit::Module& module) {
  std::ostringstream out;
  module.save(out);
  return out.str();
}

inline torch::jit::Module loaded(const std::string& bytes) {
  std::istringstream in(bytes);
  return torch::jit::load(in);
}

// Trains by plain gradient descent on every tensor that forward returns. What came of each step, and the parameters.
inline std::vector<at::Tensor> trained(torch::jit::Module module, const at::Tensor& x, int steps) {
  std::vector<at::Tensor> results;
  for (int step = 0; step < steps; ++step) {
    const auto returned = module.forward({x}).toTuple()->elements();
    auto loss = (returned[0].toTensor().to(at::kFloat) - x).pow(2).mean();
    for (std::size_t i = 1; i < returned.size(); ++i) loss = loss + 0.01 * returned[i].toTensor().abs().sum();
    loss.backward();
    results.push_back(loss.detach().clone());
    const at::NoGradGuard no_grad;
    for (const auto& parameter : module.parameters()) {
      if (!parameter.grad().defined()) continue;
      results.push_back(parameter.grad().clone());
      parameter.sub_(parameter.grad(), 0.1);
      parameter.mutable_grad().reset();
    }
  }
  for (const auto& parameter : module.parameters()) results.push_back(parameter.detach().clone());
  return results;
}

inline bool equal_to_the_last_bit(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const at::Tensor& left, const at::Tensor& right) { return at::equal(left, right); });
}

inline at::Tensor run(torch::jit::Module& module, const at::Tensor& x, int output) {
  return module.forward({x}).toTuple()->elements()[static_cast<size_t>(output)].toTensor();
}

}  // namespace saetap::testing

// Small TorchScript modules as people write them, for the tests that need LibTorch.
#pragma once

#include <string>

#include "hooks/libtorch.h"

namespace saetap::testing {

// A module of type `type` with the given methods, and parameters W_enc [d, F], b_enc [F], W_dec [F, d_out], b_dec
// [d_out].
inline torch::jit::Module sae_module(const std::string& type, const std::string& source, int64_t d, int64_t features,
                                     int64_t d_out = 0) {
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

inline at::Tensor run(torch::jit::Module& module, const at::Tensor& x, int output) {
  return module.forward({x}).toTuple()->elements()[static_cast<size_t>(output)].toTensor();
}

}  // namespace saetap::testing

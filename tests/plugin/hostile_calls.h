// What the tests of hostile input share: modules that hand whatever they are given to their decoder, and what came of a
// call, to be held against the same call without us.
#pragma once

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "tests/captured_errors.h"
#include "tests/plugin/session_witness.h"

namespace saetap::testing {

// Features as the program itself would have made them, or as they are planted.
inline constexpr auto kPlantedSource = R"(
def forward(self, x, planted: Optional[Tensor] = None):
    features = torch.relu(torch.matmul(x, self.W_enc) + self.b_enc)
    if planted is not None:
        features = planted
    return torch.matmul(features, self.W_dec) + self.b_dec
)";

// The same for a code of (value, feature) pairs.
inline constexpr auto kPlantedPairsSource = R"(
def forward(self, x, planted: Optional[Tensor] = None, places: Optional[Tensor] = None):
    values, indices = torch.topk(torch.relu(torch.matmul(x, self.W_enc) + self.b_enc), 4, -1)
    if planted is not None and places is not None:
        values = planted
        indices = places
    return (values.unsqueeze(-1) * self.W_dec[indices]).sum(-2) + self.b_dec
)";

// Nothing tells that what is planted is a code: the config has to name the site.
inline Config planted_config(const Folder& folder) {
  auto config = config_for(folder);
  config.hooks = {{"", "", "W_dec"}};
  return config;
}

inline torch::jit::Module planted_module(const std::string& type = "PlantedSAE", const char* source = kPlantedSource) {
  return sae_module(type, source, kWidth, kFeatures);
}

// Bit for bit, NaN included.
inline bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type()) return false;
  const auto left = a.detach().contiguous(), right = b.detach().contiguous();
  return left.nbytes() == 0 || std::memcmp(left.const_data_ptr(), right.const_data_ptr(), left.nbytes()) == 0;
}

// What a program sees of a call: what was returned and the gradients, or the exception's text.
struct Outcome {
  std::vector<at::Tensor> tensors;
  std::string exception;

  friend bool operator==(const Outcome& a, const Outcome& b) {
    return a.exception == b.exception &&
           std::equal(a.tensors.begin(), a.tensors.end(), b.tensors.begin(), b.tensors.end(), same_bits);
  }
};

inline Outcome outcome_of(torch::jit::Module module, const std::vector<c10::IValue>& inputs) {
  Outcome outcome;
  try {
    const auto returned = module.forward(inputs);
    const auto first = returned.isTuple() ? returned.toTupleRef().elements()[0].toTensor() : returned.toTensor();
    outcome.tensors.push_back(first.detach().clone());
    if (!at::GradMode::is_enabled() || !first.requires_grad()) return outcome;
    first.sum().backward();
    for (const auto& parameter : module.parameters()) {
      if (!parameter.grad().defined()) continue;
      outcome.tensors.push_back(parameter.grad().clone());
      parameter.mutable_grad().reset();
    }
  } catch (const std::exception& error) {
    outcome.exception = error.what();
    // What comes behind are addresses.
    outcome.exception.erase(std::min(outcome.exception.size(), outcome.exception.find("Exception raised from")));
  }
  return outcome;
}

inline std::size_t count_of(const std::string& part, const std::string& text) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

}  // namespace saetap::testing

// A trainer in miniature: a language model, a sparse autoencoder on its rows, both TorchScript, and steps of SGD.
#pragma once

#include <torch/script.h>

#include <cstdint>
#include <string>

class Training {
 public:
  static constexpr std::int64_t kSequences = 4, kLength = 16, kRows = kSequences * kLength;  // in a step
  static constexpr std::int64_t kActive = 4;                                                 // features of each row

  // The SAE is read from `saved`, or made and, if that is not empty, written there.
  explicit Training(std::int64_t features, const std::string& saved = "");

  // Step n; its batch depends on n alone.
  void step(std::int64_t n);
  // Calls the SAE without training it.
  void call();
  // All weights' bits and the latest loss, as text.
  [[nodiscard]] std::string state() const;

 private:
  torch::jit::Module model_;
  torch::jit::Module sae_;
  double loss_ = 0;
};

// A shuffled buffer of a language model's activations: fills itself from token rows, hands out training batches.
#pragma once

#include <torch/script.h>

#include <cstdint>
#include <string>

struct ActivationsStoreOptions {
  std::string model_path;          // TorchScript: forward(input_ids [B, T]) -> tuple of activations, each [B, T, d]
  std::string tokens_path;         // int32 token ids, little endian, rows of row_length
  std::int64_t row_length = 128;   // T
  std::int64_t model_batch = 32;   // B: token rows in one call of the language model
  std::int64_t buffer_rows = 0;    // activation rows kept for shuffling
  std::int64_t batch_size = 0;     // N: activation rows in one training batch
  std::int64_t input_output = 0;   // which of the model's outputs is learned from
  std::int64_t target_output = 0;  // which is to be predicted; the same one for an autoencoder
  std::uint64_t seed = 0;          // of the shuffles
};

// Loads a TorchScript module; the error names the file.
torch::jit::Module load_module(const std::string& path);

// One training batch; row i of each tensor belongs to the same token.
struct ActivationsBatch {
  at::Tensor input;   // [N, d_in]
  at::Tensor target;  // [N, d_out]; `input` itself for an autoencoder
  at::Tensor tokens;  // [N] int64 token ids
};

class ActivationsStore {
 public:
  explicit ActivationsStore(ActivationsStoreOptions options);

  // The next N activation rows [N, d], in shuffled order. Goes round the tokens again when they are used up.
  at::Tensor get_batch() { return get_batch_with_tokens().input; }

  // The same with each row's target and token id.
  ActivationsBatch get_batch_with_tokens();

 private:
  void check_options() const;
  void refill();
  at::Tensor next_token_rows();
  void put(at::Tensor& buffer, const at::Tensor& rows, const at::Tensor& slots) const;

  ActivationsStoreOptions options_;
  torch::jit::Module model_;
  at::Tensor token_rows_;  // [rows, T] int32, mapped from the file
  std::int64_t next_row_ = 0;

  at::Tensor inputs_, targets_, tokens_;  // the buffer; targets_ stays undefined for an autoencoder
  at::Tensor unread_;                     // [unread rows] slots of the buffer in the order they will be read
  at::Tensor free_;                       // slots already read
  at::Generator shuffle_;
};

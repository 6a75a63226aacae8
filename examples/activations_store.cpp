// Fills and shuffles the buffer of activations.
#include "activations_store.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <utility>

namespace {

std::int64_t file_bytes(const std::string& path) {
  std::error_code failed;
  const auto bytes = std::filesystem::file_size(path, failed);
  if (failed) throw std::runtime_error("cannot read " + path + ": " + failed.message());
  return static_cast<std::int64_t>(bytes);
}

}  // namespace

torch::jit::Module load_module(const std::string& path) {
  file_bytes(path);  // a missing file has its own reason
  try {
    return torch::jit::load(path);
  } catch (const c10::Error&) {
    throw std::runtime_error(path + " is not a TorchScript module that this LibTorch can load");
  }
}

ActivationsStore::ActivationsStore(ActivationsStoreOptions options)
    : options_(std::move(options)), shuffle_(at::make_generator<at::CPUGeneratorImpl>(options_.seed)) {
  check_options();
  const auto ids = file_bytes(options_.tokens_path) / static_cast<std::int64_t>(sizeof(std::int32_t));
  const auto rows = ids / options_.row_length;
  if (rows == 0) throw std::runtime_error(options_.tokens_path + " holds no row of tokens");
  token_rows_ = at::from_file(options_.tokens_path, /*shared=*/false, rows * options_.row_length, at::kInt)
                    .view({rows, options_.row_length});
  model_ = load_module(options_.model_path);
  model_.eval();
  unread_ = at::empty({0}, at::kLong);
  free_ = at::arange(options_.buffer_rows);
}

void ActivationsStore::check_options() const {
  if (options_.batch_size <= 0 || options_.row_length <= 0 || options_.model_batch <= 0) {
    throw std::runtime_error("batch_size, row_length and model_batch must be positive");
  }
  // A refill comes when half is used: what is left has to hold a batch, and what is free a call's rows.
  const auto least = 2 * std::max(options_.batch_size, options_.model_batch * options_.row_length);
  if (options_.buffer_rows < least) {
    throw std::runtime_error("buffer_rows must be at least " + std::to_string(least) +
                             " for this batch_size and model_batch");
  }
}

ActivationsBatch ActivationsStore::get_batch_with_tokens() {
  if (2 * unread_.size(0) < options_.buffer_rows) refill();
  const auto slots = unread_.slice(0, 0, options_.batch_size);
  unread_ = unread_.slice(0, options_.batch_size);
  free_ = at::cat({free_, slots});
  ActivationsBatch batch;
  batch.input = inputs_.index_select(0, slots);
  batch.target = targets_.defined() ? targets_.index_select(0, slots) : batch.input;
  batch.tokens = tokens_.index_select(0, slots);
  return batch;
}

// Runs the model until the free slots are filled, then shuffles what is old and unread together with what is new.
void ActivationsStore::refill() {
  const torch::NoGradGuard no_grad;
  const auto model_rows = options_.model_batch * options_.row_length;
  while (free_.size(0) >= model_rows) {
    const auto input_ids = next_token_rows();
    const auto outputs = model_.forward({input_ids}).toTupleRef().elements().vec();
    const auto slots = free_.slice(0, 0, model_rows);
    const auto rows_of = [&](std::int64_t output) {
      if (output < 0 || output >= static_cast<std::int64_t>(outputs.size())) {
        throw std::runtime_error(options_.model_path + " has no output " + std::to_string(output));
      }
      return outputs[static_cast<std::size_t>(output)].toTensor().flatten(0, 1);
    };
    put(inputs_, rows_of(options_.input_output), slots);
    if (options_.target_output != options_.input_output) put(targets_, rows_of(options_.target_output), slots);
    put(tokens_, input_ids.flatten(), slots);
    unread_ = at::cat({unread_, slots});
    free_ = free_.slice(0, model_rows);
  }
  unread_ = unread_.index_select(0, at::randperm(unread_.size(0), shuffle_));
}

// The next rows in file order; the last rows of the file are followed by the first.
at::Tensor ActivationsStore::next_token_rows() {
  const auto positions = (at::arange(options_.model_batch) + next_row_).remainder(token_rows_.size(0));
  next_row_ = (next_row_ + options_.model_batch) % token_rows_.size(0);
  return token_rows_.index_select(0, positions).to(at::kLong);
}

void ActivationsStore::put(at::Tensor& buffer, const at::Tensor& rows, const at::Tensor& slots) const {
  if (!buffer.defined()) {
    auto shape = rows.sizes().vec();
    shape[0] = options_.buffer_rows;
    buffer = at::empty(shape, rows.options());
  }
  buffer.index_copy_(0, slots, rows);
}

// Files that hold a tensor, as trainers keep their activations and tokens.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "integrations/tensors/mapped_file.h"

namespace saetap::tensors {

// "FILE:NAME". A file whose own name has a colon is meant as it is, if it is there.
struct TensorPlace {
  std::string file;
  std::string name;  // empty: none was given
};
[[nodiscard]] TensorPlace tensor_place(const std::string& path);

// The one tensor of a file: .npy, .pt (torch.save or C++ torch::save; a tensor, or a dict of them), .safetensors. Of
// several, the one named behind a colon: "shard.safetensors:layer3". On the CPU, mapped from the file wherever its
// format allows. Throws cli::Failure that begins with the path.
[[nodiscard]] at::Tensor open_tensor(const std::string& path);

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

// Each reads one format, and throws cli::Failure without the path.
[[nodiscard]] at::Tensor npy_tensor(const Mapping& file);
[[nodiscard]] NamedTensors pt_tensors(const Mapping& file);
[[nodiscard]] NamedTensors safetensors(const Mapping& file);

}  // namespace saetap::tensors
